"""What is different now from then: price, indicators, crossings, signals, levels."""

from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, text
from agents.llms.builtin.write import phrases as say

_SHOWN = 5
_STATE: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Close", "close", say.price),
    ("RSI", "rsi", say.index),
    ("ADX", "adx", say.index),
    ("Volatility (a year)", "volatility20", say.percent),
    ("From the 52-week high", "fromHigh52wPercent", say.signed),
)


def changed(ask: Ask, results: Results) -> str:
    """Write what is different now from then."""
    found = results.good("what_changed")
    if found is None:
        return ""
    return say.paragraphs(
        say.sentences(_headline(found), _highs(found)),
        _table(found),
        _crossings(found),
        _signals(found),
        say.sentences(_passed(found), _deepest(found), _news(found)),
    )


def _headline(found: Result) -> str:
    symbol, change = found.text("symbol"), found.number("changePercent")
    start, end = found.number("startClose"), found.number("endClose")
    first, last = found.day("from"), found.day("to")
    if change is None or start is None or end is None or first is None or last is None:
        return f"I have no change for {symbol}."
    verb = "rose" if change > 0 else "fell" if change < 0 else "did not move"
    moved = f" {say.percent(abs(change))}" if change else ""
    return (
        f"**{symbol} {verb}{moved}**, from a close of {say.price(start)} on {say.on_day(first)} "
        f"to {say.price(end)} on {say.on_day(last)}."
    )


def _highs(found: Result) -> str:
    parts = []
    for key, name in (("newHighs", "highs"), ("newLows", "lows")):
        days = found.number(key)
        if days:
            parts.append(f"new {name} on {say.count(days)} day{'s' if days > 1 else ''}")
    return f"It made {say.listed(parts)}." if parts else ""


def _table(found: Result) -> str:
    now, then = found.day("to"), found.day("from")
    if now is None or then is None:
        return ""
    body = []
    for name, key, show in _STATE:
        values = [found.number(moment, key) for moment in ("then", "now")]
        shown = ["–" if value is None else show(value) for value in values]
        # What looks the same on both days has not changed.
        if shown[0] != shown[1]:
            body.append([name, *shown])
    trends = [found.text(moment, "trend") or "–" for moment in ("then", "now")]
    return say.table(["Measure", say.on_day(then), say.on_day(now)], [*body, ["Trend", *trends]])


def _crossings(found: Result) -> str:
    crossings = found.rows("crossings")
    if not crossings:
        return "It crossed none of its moving averages in that time."
    lines = [
        f"- {say.on_day(on)}: {what}"
        for crossing in crossings[-_SHOWN:]
        if (on := day(crossing, "on")) is not None and (what := text(crossing, "what"))
    ]
    more = len(crossings) > _SHOWN or found.number("crossingsLeftOut")
    head = "The latest crossings of its averages:" if more else "Crossings of its averages:"
    return f"{head}\n\n" + "\n".join(lines)


def _signals(found: Result) -> str:
    fired = found.rows("signalsFired")
    if not fired:
        return "No signal fired in that time."
    lines = []
    for signal in reversed(fired[-_SHOWN:]):
        on, kind = day(signal, "firedOn"), text(signal, "signalType").replace("_", " ")
        if on is not None and kind:
            still = ", still valid" if signal.get("stillValid") is True else ""
            lines.append(f"- {say.on_day(on)}: {text(signal, 'direction')} {kind}{still}")
    more = len(fired) > _SHOWN or found.number("signalsLeftOut")
    head = "The latest signals that fired:" if more else "Signals that fired:"
    return f"{head}\n\n" + "\n".join(lines)


def _passed(found: Result) -> str:
    passed = [
        f"{text(level, 'kind')} at {say.price(price)}"
        for level in found.rows("levelsPassed")
        if (price := Result("what_changed", {}, data=level).number("price")) is not None
    ]
    return f"It is now beyond {say.listed(passed)}, as drawn on the first day." if passed else ""


def _deepest(found: Result) -> str:
    fall = found.number("drawdownPercent")
    if not fall:
        return ""
    return f"The deepest fall from a peak on the way (drawdown) was {say.percent(abs(fall))}."


def _news(found: Result) -> str:
    stories = found.number("news", "stories")
    if not stories:
        return ""
    some = "One news story fell" if stories == 1 else f"{say.count(stories)} news stories fell"
    return f"{some} into that time; ask for the news to read them."
