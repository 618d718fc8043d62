"""Several instruments side by side."""

import re
from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, number, text
from agents.llms.builtin.write import phrases as say


def compare(ask: Ask, results: Results) -> str:
    """Write two or more instruments over the same days."""
    found = results.good("compare")
    if found is None:
        return ""
    rows = found.rows("instruments")
    if not rows:
        return ""
    too_many = ""
    if len(ask.symbols) > len(rows):
        too_many = "I compare up to eight at a time; the others are left out."
    return say.paragraphs(
        _DECLINE if _WANTS_ADVICE.search(ask.text) else "",
        _notable(ask, found, rows),
        _headline(found, rows),
        _table(rows),
        _together(found, rows),
        too_many,
        _CLOSE,
    )


def rank(ask: Ask, results: Results) -> str:
    """Write which of all instruments stands out."""
    found = results.good("compare")
    if found is None:
        return ""
    rows = sorted(found.rows("instruments"), key=lambda row: -(number(row, "changePercent") or 0.0))
    if not rows:
        return ""
    listed = results.find("instruments")
    total = listed.number("count") if listed is not None else None
    left_out = ""
    if listed is not None and total is not None and total > len(rows):
        shown = {text(row, "symbol") for row in rows}
        others = [
            name for row in listed.rows("instruments") if (name := text(row, "symbol")) not in shown
        ]
        some = say.listed(others[:5]) + (" and more" if len(others) > 5 else "")
        left_out = f"Left out for want of so long a history, or of room: {some}."
    return say.paragraphs(
        _notable(ask, found, rows), _headline(found, rows), _table(rows), left_out, _CLOSE
    )


_DECLINE = "I do not say which one to buy or sell; here is what was measured."
_WANTS_ADVICE = re.compile(r"\b(?:should|buy|sell|invest|recommend)\b", re.IGNORECASE)
_CLOSE = "Past performance; nothing in it says which will do better from here."


def _headline(found: Result, rows: list[dict[str, object]]) -> str:
    first, last = found.day("from"), found.day("to")
    best = max(rows, key=lambda row: number(row, "changePercent") or float("-inf"))
    worst = min(rows, key=lambda row: number(row, "changePercent") or float("inf"))
    high, low = number(best, "changePercent"), number(worst, "changePercent")
    if first is None or last is None or high is None or low is None:
        return ""
    span = f"from {say.on_day(first)} to {say.on_day(last)}"
    one, other = text(best, "symbol"), text(worst, "symbol")
    if len(rows) == 2:
        return f"**{one} did better: {_moved(high)}, while {other} {_moved(low)}**, {span}."
    return f"**{one} did best ({_moved(high)}) and {other} worst ({_moved(low)})**, {span}."


def _moved(change: float) -> str:
    if change > 0:
        return f"rose {say.percent(change)}"
    return f"fell {say.percent(abs(change))}" if change < 0 else "did not move"


def _table(rows: list[dict[str, object]]) -> str:
    columns = (
        ("Close", "endClose", say.price),
        ("Change", "changePercent", say.signed),
        ("Total return", "totalReturnPercent", say.signed),
        ("Volatility, a year", "volatilityPercent", say.percent),
        ("Deepest fall (drawdown)", "drawdownPercent", say.signed),
        ("RSI", "rsi", say.index),
    )
    if len(rows) <= 3:
        head = ["Measure", *(text(row, "symbol") for row in rows)]
        body = []
        for name, key, show in columns:
            values = [number(row, key) for row in rows]
            if any(value is not None for value in values):
                body.append([name, *("–" if value is None else show(value) for value in values)])
        trends = [text(row, "trend") or "–" for row in rows]
        return say.table(head, [*body, ["Trend", *trends]])
    head = ["Symbol", *(name for name, _, _ in columns), "Trend"]
    body = []
    for row in rows:
        cells = [
            "–" if (value := number(row, key)) is None else show(value) for _, key, show in columns
        ]
        body.append([text(row, "symbol"), *cells, text(row, "trend") or "–"])
    return say.table(head, body)


def _together(found: Result, rows: list[dict[str, object]]) -> str:
    pairs = found.rows("correlations")
    calm = found.text("calmest")
    said = (
        [f"{calm} was the calmer one." if len(rows) == 2 else f"{calm} was the calmest."]
        if calm
        else []
    )
    if len(pairs) == 1:
        value = number(pairs[0], "correlation")
        if value is not None:
            strength = abs(value)
            how = "closely" if strength >= 0.7 else "somewhat" if strength >= 0.3 else "hardly"
            said.append(
                f"Their daily returns move {how} together (correlation {say.small(value)})."
            )
    return say.sentences(*said)


def _notable(ask: Ask, found: Result, rows: list[dict[str, object]]) -> str:
    """Answer first what was asked about in particular: volatility, RSI, trend, correlation."""
    low = ask.text.lower()
    for words, key, name, show in _PARTICULARS:
        if not any(word in low for word in words):
            continue
        known = [
            (value, text(row, "symbol")) for row in rows if (value := number(row, key)) is not None
        ]
        if len(known) > 1:
            (least, least_name), (most, most_name) = min(known), max(known)
            if key == "drawdownPercent":
                return (
                    f"**The deepest fall (drawdown) was {least_name}'s, {show(least)}; the mildest "
                    f"{most_name}'s, {show(most)}.**"
                )
            return (
                f"**By {name}, {most_name} is highest ({show(most)}) and {least_name} lowest "
                f"({show(least)}).**"
            )
    pairs = found.rows("correlations")
    if any(word in low for word in ("correlat", "together", "in step")) and len(pairs) > 1:
        said = [
            f"{listed_pair} {say.small(value)}"
            for pair in pairs
            if (value := number(pair, "correlation")) is not None
            and (listed_pair := _between(pair))
        ]
        return f"**Correlation of daily returns**: {say.listed(said)}." if said else ""
    if "trend" in low:
        up = [text(row, "symbol") for row in rows if text(row, "trend") == "up"]
        if up:
            return f"**In an up-trend: {say.listed(up)}.**"
        return "**None of them is in a clear up-trend.**"
    return ""


def _between(pair: dict[str, object]) -> str:
    names = pair.get("between")
    return " and ".join(str(name) for name in names) if isinstance(names, list) else ""


_PARTICULARS: tuple[tuple[tuple[str, ...], str, str, Callable[[float], str]], ...] = (
    (("volatil", "risk", "wild", "calm", "swing", "moves more"), "volatilityPercent", "volatility",
     say.percent),
    (("overbought", "oversold", "rsi"), "rsi", "RSI", say.index),
    (("drawdown", "deepest", "worst fall"), "drawdownPercent", "deepest fall (drawdown)",
     say.signed),
)  # fmt: skip
