"""What is said when an alert fires: what happened, the evidence, and how such cases went before."""

from datetime import datetime
from typing import Any

from agents.llms.builtin.results import Result, Results, number, text
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say
from tools.analytics.condition_parts import LABELS

_PERCENTS = frozenset({"changePercent", "volatility20", "volatility60", "fromHigh52wPercent"})
_INDEXES = frozenset({"rsi", "adx", "plusDi", "minusDi", "stochasticK", "stochasticD"})


def write_alert(
    results: Results,
    *,
    name: str,
    symbol: str,
    description: str,
    bar_time: datetime,
    timeframe: str,
) -> str:
    """Write the first message of an alert's conversation."""
    found = results.good("condition_record")
    indicators = results.good("indicators")
    signals = results.good("signals")
    when = say.on_day(bar_time.date())
    if timeframe != "1d":
        when = f"the {timeframe} bar of {when}, {bar_time:%H:%M} UTC"
    headline = text({"n": name}, "n") or description
    return say.paragraphs(
        f"**{symbol}: {description}.** Your alert “{headline}” fired on {when}.",
        _values(found) if found is not None else "",
        _before(found) if found is not None else "",
        _signals(found, signals),
        _picture(indicators),
        _nearest(results.good("levels")),
        common.missing_parts(
            results,
            {
                "condition_record": "how such cases turned out before",
                "indicators": "the technical picture",
                "signals": "the signals",
                "levels": "the nearest levels",
            },
        ),
        "*Written by the built-in writer from the desk's own tools: no LLM was asked, and it cost "
        "nothing. Reply to go on: “Is that unusual?”, or “What do the signals say?”*",
    )


def write_withdrawal(results: Results, *, symbol: str, bar_time: datetime, because: str) -> str:
    """Write the note that what fired should not have, with the numbers as they are now."""
    found = results.good("condition_record")
    now = found is not None and found.day("lastBar") == bar_time.date()
    return say.paragraphs(
        f"**Withdrawn: what your alert on {symbol} fired at on {say.on_day(bar_time.date())} was "
        f"wrong.** {because} What is written above was computed before that and stays as it was.",
        f"As it is now:\n\n{_values(found)}" if found is not None and now else "",
        "*Written by the built-in writer; the episode is kept, marked as withdrawn.*",
    )


def _nearest(found: Result | None) -> str:
    """Return the nearest level on either side, and what such levels are worth."""
    if found is None:
        return ""
    said = []
    for side, rows in (
        ("support", found.rows("support")),
        ("resistance", found.rows("resistance")),
    ):
        price = number(rows[0], "price") if rows else None
        distance = number(rows[0], "distancePercent") if rows else None
        if price is not None and distance is not None:
            where = "above" if distance > 0 else "below"
            said.append(
                f"{side} at {say.price(price)}, {say.percent(abs(distance))} {where} the close"
            )
    if not said:
        return ""
    return (
        f"Nearest levels: {say.listed(said)}. They are drawing aids: prices turn there hardly more "
        f"often than at lines that mean nothing."
    )


def _values(found: Result) -> str:
    """Return what the condition's values were, beside what they were compared with."""
    now, before = found.at("now"), found.at("before")
    lines = []
    for part in found.rows("parts"):
        field = part.get("field")
        if not isinstance(field, str):
            continue
        value, threshold = number(now, field), number(part, "threshold")
        label = LABELS.get(field, field)
        label = label[:1].upper() + label[1:]
        if value is None:
            lines.append(f"- {label} has no value at this bar.")
            continue
        said = f"- {label}: **{shown(field, value)}**"
        if (was := number(before, field)) is not None:
            said += f", {shown(field, was)} at the bar before"
        if threshold is not None:
            said += f"; the condition compares it with {shown(field, threshold)}"
        lines.append(f"{said}.")
    close = found.number("close")
    if close is not None and (not isinstance(now, dict) or "close" not in now):
        lines.append(f"- Close: {say.price(close)}.")
    return "\n".join(dict.fromkeys(lines))


def _before(found: Result) -> str:
    """Return how often it happened and what followed, never more than the numbers carry."""
    occasions = found.number("past", "occasions")
    if occasions is None:
        return ""
    first, last = found.day("past", "first"), found.day("past", "latest", 0)
    if not occasions:
        judged = found.number("past", "barsJudged")
        span = f" in the {say.count(judged)} bars before" if judged else ""
        head = f"**Before:** it never came to hold{span}, so there is nothing to learn from."
        return say.sentences(head, _base(found.at("after", "bars20")))
    times = "once" if occasions == 1 else f"on {say.count(occasions)} occasions"
    head = f"**Before:** it came to hold {times}"
    if first is not None and last is not None:
        head += (
            f", on {say.on_day(first)}"
            if occasions == 1
            else f" since {say.on_day(first)}, last on {say.on_day(last)}"
        )
    return "\n".join([f"{head}.", *[line for row in _rows(found) if (line := _after(row))]])


def _after(row: dict[str, Any]) -> str:
    bars, n = number(row, "horizonBars"), number(row, "n")
    rate, base = number(row, "riseRate"), number(row, "baseRate")
    low, high = number(row, "wilsonLow"), number(row, "wilsonHigh")
    if bars is None or n is None or base is None:
        return ""
    later = f"- {say.count(bars)} bars later"
    if rate is None or low is None or high is None:
        return (
            f"{later} the base rate of a price that has risen is {say.rank(base)}; there are too "
            f"few cases whose outcome is known (n {say.count(n)}) to give theirs."
        )
    shown_rate, shown_base = say.rates(rate, base)
    edge = text(row, "edge") or "no measured edge"
    return (
        f"{later} the price had risen at a rate of {shown_rate} (n {say.count(n)}, 95{say.GAP}% "
        f"confidence interval: low {say.percent(low)}, high {say.percent(high)}); the base rate "
        f"over all bars is {shown_base}: **{edge}**."
    )


def _rows(found: Result) -> list[dict[str, Any]]:
    rows = [found.at("after", name) for name in ("bars5", "bars20")]
    return [row for row in rows if isinstance(row, dict)]


def _base(row: object) -> str:
    base, bars = number(row, "baseRate"), number(row, "horizonBars")
    if base is None or bars is None:
        return ""
    rate = f"the base rate of a price that has risen is {say.rank(base)}"
    return f"Over all bars, {say.count(bars)} bars later {rate}."


def _signals(found: Result | None, signals: Result | None) -> str:
    """Return the record of the signals that the condition is about."""
    valid = found.at("validSignals") if found is not None else None
    if not isinstance(valid, list) or signals is None:
        return ""
    asked = " ".join(text(part, "what") for part in found.rows("parts")) if found else ""
    about = [
        row
        for row in signals.rows("signals")
        if text(row, "signalType") and text(row, "signalType") in asked
    ]
    return "\n".join(f"- {common.signal_line(row)}" for row in about[:3])


def _picture(found: Result | None) -> str:
    if found is None:
        return ""
    return say.sentences("**The picture:**", common.trend(found), common.rsi(found))


def shown(field: str, value: float) -> str:
    """Return a field's value as people read it."""
    if field in _PERCENTS:
        return say.percent(value)
    if field == "atrPercent":
        return say.percent(value)
    if field in _INDEXES:
        return say.small(value, 1)
    if field in ("volume", "obv"):
        return say.count(value)
    if field == "volumeRatio":
        return say.times(value)
    if field in ("bandwidth", "percentB", "trendR2", "trendSlope", "macd", "macdSignal",
                 "macdHistogram"):  # fmt: skip
        return say.small(value)
    return say.small(value, 0) if field == "strength" else say.price(value)
