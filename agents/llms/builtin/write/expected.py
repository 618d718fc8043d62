"""How much an instrument is expected to move, in one sentence with its interval and baseline."""

from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write import phrases as say

_SPANS = {1: "day", 5: "five days", 20: "20 days"}


def found(results: Results) -> dict[str, Result]:
    """Return the forecasts of the turn by what they forecast."""
    return {
        one.text("what"): one
        for one in results.items
        if one.tool == "forecast" and one.data is not None and one.text("what")
    }


def sentence(results: Results) -> str:
    """Return the one sentence an outlook has on what to expect; empty without a model."""
    one = found(results).get("volatility")
    if one is None or one.at("available") is not True:
        return ""
    return volatility(one, results.good("indicators"))


def volatility(one: Result, indicators: Result | None) -> str:
    """Return "I expect calm-to-normal moves for the next five days: 1.3 % a day (…)"."""
    value = one.number("expectedPercent")
    if value is None:
        return ""
    each = "a day" if one.text("timeframe") == "1d" else "a bar"
    kind = _kind(one, indicators)
    said = f"I expect {kind}moves for {span(one)}: **{say.percent(value)} {each}**"
    return f"{said}{_interval(one)}{_against(one)}."


def span(one: Result) -> str:
    bars = int(one.number("horizonBars") or 0)
    if one.text("timeframe") == "1d" and bars in _SPANS:
        return f"the next {_SPANS[bars]}"
    return "the next bar" if bars == 1 else f"the next {bars} bars"


def _kind(one: Result, indicators: Result | None) -> str:
    """Return "calm-to-normal ", by the range that is usual for the instrument."""
    low, high = one.number("interval", "lowPercent"), one.number("interval", "highPercent")
    if indicators is None or low is None or high is None or one.text("timeframe") != "1d":
        return ""
    usual_low = indicators.number("volatility", "usualLowPercent")
    usual_high = indicators.number("volatility", "usualHighPercent")
    if usual_low is None or usual_high is None:
        return ""

    def named(value: float) -> str:
        return "calm" if value < usual_low else "lively" if value > usual_high else "normal"

    first, last = named(low), named(high)
    return f"{first} " if first == last else f"{first}-to-{last} "


def _interval(one: Result) -> str:
    low, high = one.number("interval", "lowPercent"), one.number("interval", "highPercent")
    level = one.number("interval", "coveragePercent")
    if low is None or high is None or level is None:
        return ""
    return f" ({say.percent(level, digits=0)} interval {say.percent(low)} to {say.percent(high)})"


def _against(one: Result) -> str:
    value, name = one.number("baseline", "valuePercent"), one.text("baseline", "name")
    if value is None:
        return ""
    return f", against {say.percent(value)} from the plain {name} baseline"
