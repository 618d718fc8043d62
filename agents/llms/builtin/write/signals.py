"""Signals, their record, and why an answer said what it said."""

from typing import Any

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, number, text
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say

_FEW = 12
"""Kinds whose numbers are told side by side; of more, only what came of them."""


def signals(ask: Ask, results: Results) -> str:
    """Write the active signals with their record."""
    found = results.good("signals")
    if found is None:
        return ""
    symbol, last = found.text("symbol"), found.day("lastBar")
    valid = found.rows("signals")
    when = f" on {say.on_day(last)}" if last is not None else ""
    if not common.is_for_day(ask) and when:
        when += ", the last bar I have"
    kinds = say.listed(dict.fromkeys(text(row, "signalType").replace("_", " ") for row in valid))
    head = (
        f"**{symbol} has active signals{when}**: {kinds}."
        if valid
        else f"**{symbol} has no active signal{when}.**"
    )
    return say.paragraphs(
        head,
        "\n".join(f"- {common.signal_line(row)}" for row in valid[:6]),
        _together(found),
        common.edge(found.at("composite")),
        _chance(found),
    )


def record(ask: Ask, results: Results) -> str:
    """Write how often such signals were right: measured, with n and the base rate."""
    card = results.good("scorecard")
    if card is not None:
        return _scorecard(card)
    found = results.good("signals")
    if found is None:
        return say.paragraphs(
            "**On direction, mostly no better than doing nothing clever.** I measure it and say "
            "so: with every signal I give how often such signals were right before it in the same "
            "market, from how many cases, and the base rate beside it. Too few cases, and I give "
            "no rate.",
            "How much a price will move is far better known than which way. Name a symbol and I "
            "show you its record, for instance “How often were GOOG's signals right?”",
        )
    valid = [row for row in found.rows("signals") if number(row, "trackRecord", "n") is not None]
    return say.paragraphs(
        common.edge(
            found.at("composite"),
            what=f"days with a composite strength like today's for {found.text('symbol')}",
        ),
        ("By kind of signal:\n\n" + "\n".join(f"- {common.signal_line(row)}" for row in valid[:6]))
        if valid
        else "",
        _chance(found),
    )


def _scorecard(card: Result) -> str:
    """Write how each kind of signal did, against doing nothing clever."""
    kinds = [row for row in card.rows("kinds") if not text(row, "symbol")]
    proven = card.at("withEdge")
    names = [str(one) for one in proven] if isinstance(proven, list) else []
    head = (
        f"**With a measured edge: {say.listed(dict.fromkeys(names))}.**"
        if names
        else "**No measured edge in any of them.**"
    )
    explained = (
        "An edge is only called one where the hit rate was above the base rate out of sample."
    )
    closing = "How much a price will move is far better known than which way."
    if len(kinds) > _FEW:
        verdicts = [
            f"- {badge[:1].upper()}{badge[1:]}: {say.listed(dict.fromkeys(named))}"
            for badge in dict.fromkeys(text(row, "edge") for row in kinds)
            if badge and (named := [_kind(row) for row in kinds if text(row, "edge") == badge])
        ]
        more = "Ask about one of them for its numbers, for instance “do breakouts work?”"
        return say.paragraphs(
            say.sentences(head, explained), "\n".join(verdicts), f"{more} {closing}"
        )
    body = []
    for row in kinds:
        hit, base, n = number(row, "hitRate"), number(row, "baseRate"), number(row, "n")
        low, high = number(row, "wilsonLow"), number(row, "wilsonHigh")
        if n is None:
            continue
        shown, base_shown = "–", "–"
        if hit is not None and base is not None:
            shown, base_shown = say.rates(hit, base)
        between = "–" if low is None or high is None else f"{low:.0f} to {say.rank(high)}"
        body.append([_kind(row), shown, between, base_shown, say.count(n)])
    return say.paragraphs(
        say.sentences(head, explained),
        say.table(["Signal", "Right", "Interval", "Base rate", "Cases (n)"], body) if body else "",
        closing,
    )


def _kind(row: dict[str, object]) -> str:
    """Return "bullish breakout", with its market where there are several."""
    words = [text(row, "signalType").replace("_", " ")]
    if text(row, "variant"):
        words.append(f"({text(row, 'variant')})")
    elif text(row, "direction") in {"bullish", "bearish"}:
        words.insert(0, text(row, "direction"))
    if text(row, "market"):
        words.append(f"in {text(row, 'market')}")
    return " ".join(words)


def why(ask: Ask, results: Results) -> str:
    """Write what an earlier answer stood on: the vote of each indicator."""
    if ask.about is None and not ask.symbols:
        return (
            "**There is nothing to explain yet.** Ask me about a symbol first, for instance "
            "“How does GOOG look?”"
        )
    found = results.good("signals")
    indicators = results.good("indicators")
    if found is None and indicators is None:
        return (
            "Each number in my answers comes from a tool call on stored prices; point at a number "
            "to see which one."
        )
    parts = []
    if found is not None:
        symbol = found.text("symbol")
        strength = found.number("composite", "strength")
        votes = found.rows("indicators")
        if strength is not None and votes:
            tone = {"bullish": "bullish", "bearish": "bearish"}.get(
                found.text("composite", "direction"), "neither bullish nor bearish"
            )
            parts.append(
                f"**The indicators of {symbol} add up to a strength of {_plus(strength)}, "
                f"{tone}.** Each one votes between minus one and plus one:"
            )
            parts.append(
                say.table(
                    ["Indicator", "Says", "Vote"],
                    [
                        [
                            text(vote, "name"),
                            text(vote, "signal") or "–",
                            "–" if (v := number(vote, "vote")) is None else _plus(v, digits=2),
                        ]
                        for vote in votes
                    ],
                )
            )
            parts.append(_weightless(found, votes))
        parts.append(common.edge(found.at("composite"), what="days with a composite like this"))
    if indicators is not None:
        parts.append(say.sentences(common.trend(indicators), common.rsi(indicators)))
        parts.append(common.moves(indicators))
    result = found or indicators
    if result is not None and result.source:
        parts.append(_basis(result))
    parts.append(
        common.missing_parts(results, {"signals": "the votes", "indicators": "trend and RSI"})
    )
    return say.paragraphs(*parts)


def _weightless(found: Result, votes: list[dict[str, Any]]) -> str:
    """Say which of the votes do not count, and why."""
    names = [text(vote, "name") for vote in votes if number(vote, "weight") == 0]
    if not names:
        return ""
    has = "have" if len(names) > 1 or names == ["Fundamentals"] else "has"
    said = found.at("notes")
    invented = isinstance(said, list) and any("(synthetic)" in str(note) for note in said)
    return say.sentences(
        f"{' and '.join(names)} {has} no weight in it: nobody has measured that this helps, so it "
        "is shown and not counted.",
        "The headlines behind the news sentiment are invented for the demonstration (synthetic)."
        if invented
        else "",
    )


def _basis(result: Result) -> str:
    bars, first, last = result.number("bars"), result.day("firstBar"), result.day("lastBar")
    if bars is None or first is None or last is None:
        return ""
    return (
        f"All of it is computed from {say.count(bars)} daily bars, from {say.on_day(first)} to "
        f"{say.on_day(last)}."
    )


def _together(found: Result) -> str:
    strength = found.number("composite", "strength")
    if strength is None:
        return ""
    return (
        f"The composite of all indicators has a strength of {_plus(strength)}; that is a summary, "
        "not a probability."
    )


def _chance(found: Result) -> str:
    examined = found.number("kindsExamined")
    if examined is None:
        return ""
    return (
        f"I examine {say.count(examined)} kinds of signal for each symbol, so now and then one "
        "looks good by chance alone."
    )


def _plus(value: float, digits: int = 0) -> str:
    shown = say.small(value, digits)
    return f"+{shown}" if value > 0 and any(c in "123456789" for c in shown) else shown
