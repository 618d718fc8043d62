"""Which tools a question needs, given what they have already answered. Pure."""

import re
from datetime import timedelta
from typing import Any

import msgspec

from agents.llms.builtin.dialogue import ABOUT_ONE, APART, Ask
from agents.llms.builtin.periods import Period
from agents.llms.builtin.results import Result, Results, day, number, text

MOST_APART = 3
MOST_COMPARED = 8
_PRESET_DAYS = {"1w": 7, "1m": 31, "3m": 92, "6m": 183, "1y": 366, "2y": 731, "3y": 1096,
                "5y": 1827, "10y": 3653}  # fmt: skip

Call = tuple[str, dict[str, Any]]

_TOOLS: dict[str, tuple[str, ...]] = {
    "outlook": ("quotes", "indicators", "signals", "forecast"),
    "indicator": ("indicators",),
    "trend": ("indicators",),
    "levels": ("levels",),
    "volatility": ("indicators",),
    "changed": ("what_changed",),
    "price": ("quotes",),
    "performance": ("quotes",),
    "extremes": ("quotes",),
    "volume": ("quotes",),
    "signals": ("signals",),
    "record": ("signals",),
    "advice": ("quotes", "indicators", "signals"),
    "forecast": ("indicators", "signals", "forecast"),
    "why": ("indicators", "signals"),
    "news": ("news",),
    "fundamentals": ("fundamentals",),
}
_DEFAULT_PERIOD = {"performance": "1y", "changed": "1m", "extremes": "1y"}
"""What is meant when no stretch of time is named."""
_SIGNAL = re.compile(
    r"\b(entry|entries|exits?|trend changes?|volatility|volume spikes?|breakouts?|reversals?)\b",
    re.IGNORECASE,
)
_ON_BARS = frozenset({"indicators", "levels", "signals", "what_changed"})
"""Tools that are asked of longer bars where the question says so."""
_BARS = re.compile(
    r"\b(?:(weekly|week|1w)|(monthly|month|1mo))(?=\W+(?:bars?\b|candles?\b|charts?\b|basis\b|"
    r"timeframe\b|rsi\b|macd\b|adx\b|atr\b|smas?\b|emas?\b|signals?\b|levels?\b|trend\b|indicators?\b|"
    r"supports?\b|resistances?\b|moving\b|bollinger\b))|\bon (?:a |the )?(?:(weekly)|(monthly))\b",
    re.IGNORECASE,
)
"""Words for longer bars: "the weekly RSI", "on a monthly chart", not "the weekly change"."""
_TODAY = re.compile(r"\b(?:today|yesterday|overnight|this morning)\b", re.IGNORECASE)
"""The quote itself tells what changed on the day."""
_NEAREST_PRESET = ((10, "1w"), (45, "1m"), (135, "3m"), (270, "6m"), (540, "1y"), (900, "2y"),
                   (1460, "3y"), (2740, "5y"), (10**9, "10y"))  # fmt: skip


def timeframe_of(ask: Ask) -> str:
    """Return which bars a question is about; days unless it says otherwise."""
    named = _BARS.search(ask.text)
    if named is None:
        return "1d"
    return "1w" if named.group(1) or named.group(3) else "1mo"


def settle(ask: Ask, results: Results) -> Ask:
    """Return the question with what the tools made clear: which instrument a word meant."""
    if ask.intent == "why" and ask.about is not None and not ask.symbols:
        ask = msgspec.structs.replace(ask, symbols=ask.about.symbols, period=ask.about.period)
    if not ask.unknown:
        return ask
    looked_up = results.find("instruments", query=ask.unknown)
    found = looked_up.rows("instruments") if looked_up is not None else []
    if len(found) == 1 and isinstance(found[0].get("symbol"), str):
        return msgspec.structs.replace(ask, symbols=(found[0]["symbol"],), unknown="")
    return ask


def next_calls(ask: Ask, results: Results, offered: frozenset[str]) -> list[Call]:
    """Return the calls to make now; none when it is time to answer."""
    wanted = [
        call
        for call in _wanted(ask, results, offered)
        if call[0] in offered and not results.made(*call)
    ]
    return [call for index, call in enumerate(wanted) if call not in wanted[:index]]


def _wanted(ask: Ask, results: Results, offered: frozenset[str]) -> list[Call]:
    everything: list[Call] = [("instruments", {})]
    if ask.unknown:
        looked_up = results.find("instruments", query=ask.unknown)
        return [("instruments", {"query": ask.unknown})] if looked_up is None else everything
    if ask.intent in {"symbols", "data"}:
        if ask.symbols:
            first = results.find("instruments", query=ask.symbols[0])
            if first is None:
                return [("instruments", {"query": ask.symbols[0]})]
            return [] if first.rows("instruments") else everything
        return everything
    if any(_is_about_symbol(result) for result in results.failures):
        return everything
    if ask.intent == "screen":
        return _screen(ask)
    if ask.intent == "alert":
        return _alert(ask)
    if ask.intent == "record" and not ask.symbols:
        return [("scorecard", _kind_of_signal(ask))]
    if ask.intent == "rank":
        return everything + _compare_all(ask, results)
    if ask.intent == "compare":
        period = _period(ask, results, offered)
        return period if isinstance(period, list) else [_compare(ask.symbols, period)]
    if ask.intent == "graded":
        return [("past_forecasts", {"symbol": ask.symbols[0]} if ask.symbols else {})]
    if ask.intent not in _TOOLS:
        return []
    if not ask.symbols:
        return everything if ask.intent in ABOUT_ONE else []
    period = _period(ask, results, offered)
    if isinstance(period, list):
        return period
    if ask.intent in APART:
        (tool,) = _TOOLS[ask.intent]
        each = [msgspec.structs.replace(ask, symbols=(one,)) for one in ask.symbols[:MOST_APART]]
        return [_call(tool, one, period) for one in each]
    calls = []
    for tool in _TOOLS[ask.intent]:
        if tool == "forecast":
            calls += _forecasts(ask, period)
        else:
            calls.append(_call(tool, ask, period))
    return calls + _after_failure(ask, results)


def _forecasts(ask: Ask, period: Period | None) -> list[Call]:
    """Return one call for each thing to be forecast; an outlook has a sentence on moves alone."""
    calls = []
    for what in ask.subjects or ("volatility",):
        tool, arguments = _call("forecast", ask, period)
        arguments |= {"what": what, "horizon": ask.horizon or 5}
        calls.append((tool, arguments))
    return calls


def _screen(ask: Ask) -> list[Call]:
    if ask.wish is None or ask.wish.condition is None:
        return []
    arguments: dict[str, Any] = {"where": ask.wish.condition}
    if ask.period is not None and (last := ask.period.on or ask.period.end) is not None:
        arguments["at"] = last.isoformat()
    return [("screen", arguments)]


def _alert(ask: Ask) -> list[Call]:
    if ask.wish is None or ask.wish.condition is None or not ask.symbols:
        return []
    arguments = {"symbol": ask.symbols[0], "condition": ask.wish.condition}
    return [("condition_record", arguments)]


def _kind_of_signal(ask: Ask) -> dict[str, Any]:
    """Return the type of signal a question about records names."""
    named = _SIGNAL.search(ask.text)
    if named is None:
        return {}
    word = named.group(1).lower().replace(" ", "_")
    return {"signalType": "entry" if word == "entries" else word.rstrip("s")}


def _after_failure(ask: Ask, results: Results) -> list[Call]:
    """Where dates do not fit, learn which ones there are."""
    if any(result.data is None for result in results.items) and ask.symbols:
        return [("instruments", {"query": ask.symbols[0]})]
    return []


def _call(tool: str, ask: Ask, period: Period | None) -> Call:
    arguments: dict[str, Any] = {"symbol": ask.symbols[0]}
    if tool in {"quotes", "what_changed"}:
        arguments |= _stretch(ask, period)
    elif period is not None and (last := period.on or period.end) is not None:
        arguments["at"] = last.isoformat()
    if tool in _ON_BARS and (timeframe := timeframe_of(ask)) != "1d":
        arguments["timeframe"] = timeframe
    return tool, arguments


def _compare(symbols: tuple[str, ...], period: Period | None) -> Call:
    arguments: dict[str, Any] = {"symbols": list(symbols[:MOST_COMPARED])}
    if period is not None:
        arguments |= _dates(period)
    return "compare", arguments


def _compare_all(ask: Ask, results: Results) -> list[Call]:
    listed = results.find("instruments")
    if listed is None or listed.data is None:
        return []
    period = ask.period or Period(preset="1y")
    if period.days:
        period = Period(preset=_nearest(period.days))
    symbols = tuple(text(row, "symbol") for row in comparable(listed.rows("instruments"), period))
    return [_compare(symbols, period)] if len(symbols) > 1 else []


def comparable(listed: list[dict[str, Any]], period: Period) -> list[dict[str, Any]]:
    """Return at most five instruments that have bars for the whole period, longest history first.

    A newcomer would shorten the stretch for all of them.
    """
    lasts = [last for row in listed if (last := day(row, "lastBar")) is not None]
    newest = max(lasts, default=None)
    start = period.start
    if start is None and newest is not None and period.preset in _PRESET_DAYS:
        start = newest - timedelta(days=_PRESET_DAYS[period.preset])
    able = [
        row
        for row in listed
        if start is None or ((first := day(row, "firstBar")) is not None and first <= start)
    ]
    if len(able) < 2:
        able = listed
    able = sorted(able, key=lambda row: (-(number(row, "bars") or 0.0), text(row, "symbol")))
    return sorted(able[:MOST_COMPARED], key=lambda row: text(row, "symbol"))


def _stretch(ask: Ask, period: Period | None) -> dict[str, Any]:
    if period is None:
        default = None if _TODAY.search(ask.text) else _DEFAULT_PERIOD.get(ask.intent)
        return {"period": default} if default else {}
    return _dates(period)


def _dates(period: Period) -> dict[str, Any]:
    if period.on is not None:
        return {"to": period.on.isoformat()}
    if period.preset:
        return {"period": period.preset}
    arguments: dict[str, Any] = {}
    if period.start is not None:
        arguments["from"] = period.start.isoformat()
    if period.end is not None:
        arguments["to"] = period.end.isoformat()
    return arguments


def _period(ask: Ask, results: Results, offered: frozenset[str]) -> Period | list[Call] | None:
    """Return the stretch in the tools' terms, or the call that must come first to know it."""
    period = ask.period
    if period is None or not period.days:
        return period
    if "instruments" not in offered:
        return Period(preset=_nearest(period.days))
    listed = results.find("instruments", query=ask.symbols[0])
    if listed is None:
        return [("instruments", {"query": ask.symbols[0]})]
    last = listed.day("instruments", 0, "lastBar")
    if last is None:
        return Period(preset=_nearest(period.days))
    return Period(start=last - timedelta(days=period.days))


def _nearest(days: int) -> str:
    return next(preset for most, preset in _NEAREST_PRESET if days <= most)


def _is_about_symbol(result: Result) -> bool:
    return "no instrument called" in result.failure
