"""Say in plain words what a run is doing."""

from typing import Any

_DOING = {
    "quotes": "reading {what} prices",
    "indicators": "computing indicators of {what}",
    "signals": "checking signals of {what}",
    "compare": "comparing {what}",
    "instruments": "looking up instruments",
    "forecast": "forecasting {what}",
    "past_forecasts": "looking up earlier forecasts of {what}",
    "condition_record": "looking into the past of {what}",
}
_MANY = 3


def asking(provider: str, model: str) -> str:
    """Return the step of one LLM call."""
    return "asking the built-in model" if provider == "builtin" else f"asking {model}"


def calling(tool: str, arguments: dict[str, Any]) -> str:
    """Return the step of one tool call: "reading GOOG prices"."""
    what = _subject(arguments)
    doing = _DOING.get(tool)
    if doing is None:
        name = tool.replace("_", " ") or "a tool"
        return f"using {name} for {what}" if what else f"using {name}"
    return doing.format(what=what or "market")


def _subject(arguments: dict[str, Any]) -> str:
    symbols = arguments.get("symbols", arguments.get("symbol"))
    if isinstance(symbols, str):
        symbols = [symbols]
    if not isinstance(symbols, list):
        return ""
    names = [str(symbol)[:24] for symbol in symbols]
    if len(names) > _MANY:
        return f"{', '.join(names[:_MANY])} and {len(names) - _MANY} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
