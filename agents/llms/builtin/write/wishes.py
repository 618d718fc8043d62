"""Searches over all instruments, and alerts that somebody would like to have."""

from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import phrases as say

_SEARCHES = (
    "- “Which stocks are oversold?”\n"
    "- “Who is below the lower Bollinger band?”\n"
    "- “Which stocks had a golden cross?”\n"
    "- “Any bullish breakouts?”"
)
_SHOWN: dict[str, tuple[str, Callable[[float], str]]] = {
    "close": ("Close", say.price),
    "changePercent": ("Change on the day", say.signed),
    "rsi": ("RSI", say.index),
    "adx": ("ADX", say.index),
    "sma20": ("SMA 20", say.price),
    "sma50": ("SMA 50", say.price),
    "sma200": ("SMA 200", say.price),
    "ema12": ("EMA 12", say.price),
    "ema26": ("EMA 26", say.price),
    "macd": ("MACD", say.small),
    "macdSignal": ("MACD signal", say.small),
    "macdHistogram": ("MACD histogram", say.small),
    "bollingerUpper": ("Upper band", say.price),
    "bollingerLower": ("Lower band", say.price),
    "percentB": ("%B", say.small),
    "atr": ("ATR", say.price),
    "atrPercent": ("ATR, share of the close", say.percent),
    "volatility20": ("Volatility, a year", say.percent),
    "volumeRatio": ("Volume against usual", say.times),
    "strength": ("Strength", say.small),
    "high52w": ("52-week high", say.price),
    "low52w": ("52-week low", say.price),
    "fromHigh52wPercent": ("From the 52-week high", say.signed),
}


def screen(ask: Ask, results: Results) -> str:
    """Write which instruments meet the condition, and who could not be judged."""
    if ask.wish is None or ask.wish.condition is None:
        return say.paragraphs(
            "**I can search all instruments, but did not get the condition.** I read conditions on "
            "prices, indicators and signals, such as:",
            _SEARCHES,
        )
    found = results.good("screen")
    if found is None:
        return ""
    matched, judged, on = found.number("matched"), found.number("judged"), found.day("asOfDay")
    if matched is None or judged is None or on is None:
        return ""
    condition = found.text("condition")
    rows = found.rows("rows")
    names = say.listed(text(row, "symbol") for row in rows[:6])
    more = " and more" if matched > 6 else ""
    head = (
        f"**{names}{more}**: {condition} on {say.on_day(on)}."
        if matched
        else f"**No instrument meets that on {say.on_day(on)}**: {condition}."
    )
    counted = f"{say.count(matched)} matched, out of {say.count(judged)} judged."
    return say.paragraphs(
        say.sentences(head, counted),
        _table(rows) if rows else "",
        _parts(found) if not matched else "",
        _left_out(found),
        "A condition that is met says what is, not what comes.",
    )


def _table(rows: list[dict[str, object]]) -> str:
    fields = [key for key in rows[0] if key in _SHOWN]
    head = ["Symbol", *(_SHOWN[key][0] for key in fields)]
    body = []
    for row in rows:
        values = [number(row, key) for key in fields]
        cells = [
            "–" if value is None else _SHOWN[key][1](value)
            for key, value in zip(fields, values, strict=True)
        ]
        body.append([text(row, "symbol"), *cells])
    return say.table(head, body)


def _parts(found: Result) -> str:
    """Say how many meet each part, so that a search without a hit is no dead end."""
    lines = [
        f"- {text(part, 'condition')}: {say.count(held)}"
        for part in found.rows("parts")
        if (held := number(part, "held")) is not None
    ]
    return "By themselves:\n\n" + "\n".join(lines) if lines else ""


def _left_out(found: Result) -> str:
    said = []
    for key, why in (("notReady", "too short a history"), ("tooOld", "bars that end earlier")):
        count = found.number(key, "count")
        if count:
            examples = found.at(key, "examples")
            named = [str(one) for one in examples] if isinstance(examples, list) else []
            some = say.listed(named[:5]) if count <= len(named[:5]) else f"{named[0]} and others"
            said.append(f"{some} ({why})")
    return f"Not judged: {say.listed(said)}." if said else ""


def alert(ask: Ask, results: Results) -> str:
    """Say what the alert would be, whether it would have fired before, and where to set it."""
    if ask.wish is None or ask.wish.condition is None:
        return say.paragraphs(
            "**I did not get the condition, and I cannot set alerts myself.** Open Alerts in the "
            "desk and write it there in plain words, for instance “GOOG closes above its upper "
            "Bollinger band” or “AAPL is oversold”.",
        )
    if not ask.symbols:
        return "**Which symbol shall it be on?** For instance “tell me when GOOG is oversold”."
    condition = ask.wish.description
    where = (
        "I only read, so I cannot set it: open Alerts in the desk, write it there in the same "
        "words, and confirm. It is told once each time the condition comes to hold."
    )
    head = f"**The alert would be: {ask.symbols[0]}, {condition}.**"
    found = results.good("condition_record")
    if found is None:
        return say.paragraphs(say.sentences(head, where))
    return say.paragraphs(
        say.sentences(head, _now(found)),
        _before(found),
        _after(found),
        where,
    )


def _now(found: Result) -> str:
    close, last = found.number("close"), found.day("lastBar")
    holds = found.at("holds")
    state = {True: "It holds", False: "It does not hold"}.get(holds, "It cannot be judged")
    if close is None or last is None:
        return f"{state} at the last bar."
    return f"{state} at the last bar I have, {say.on_day(last)} (close {say.price(close)})."


def _before(found: Result) -> str:
    times, bars = found.number("past", "occasions"), found.number("past", "barsJudged")
    if times is None or bars is None:
        return ""
    if not times:
        return f"In {say.count(bars)} bars it never came to hold."
    latest = found.at("past", "latest")
    newest = day({"on": latest[0]}, "on") if isinstance(latest, list) and latest else None
    last = f", the last time on {say.on_day(newest)}" if newest is not None else ""
    once = "once" if times == 1 else f"{say.count(times)} times"
    return f"It would have fired {once} in {say.count(bars)} bars{last}."


def _after(found: Result) -> str:
    row = found.at("after", "bars20")
    n, rate, base = number(row, "n"), number(row, "riseRate"), number(row, "baseRate")
    bars = number(row, "horizonBars")
    if n is None or bars is None:
        return ""
    if rate is None or base is None:
        return (
            f"Too few of those have run their course (n {say.count(n)}) to say what followed after "
            f"{say.count(bars)} bars."
        )
    shown, base_shown = say.rates(rate, base)
    badge = "a measured edge" if text(row, "edge") == "measured edge" else "**no measured edge**"
    return (
        f"After {say.count(bars)} bars the price had risen {shown} of the time (n {say.count(n)}); "
        f"after any bar it had {base_shown}: {badge}."
    )
