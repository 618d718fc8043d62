"""Questions that deserve facts instead of the answer they ask for: advice and forecasts."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Results
from agents.llms.builtin.write import common, outlook
from agents.llms.builtin.write import phrases as say


def advice(ask: Ask, results: Results) -> str:
    """Decline in one sentence, then give what is known."""
    decline = (
        "**I do not say buy, sell or hold**: I know nothing of your means and plans, and I can "
        "measure no edge that would carry such a call."
    )
    quotes = results.good("quotes")
    indicators, signals = results.good("indicators"), results.good("signals")
    first = quotes or indicators or signals
    if first is None:
        return say.paragraphs(
            decline,
            "Name a symbol, and I tell you what the prices say about it and how sure that is.",
        )
    if signals is not None and signals.text("composite", "edge") == "measured edge":
        decline = (
            "**I do not say buy, sell or hold**: I know nothing of your means and plans. "
            "What I can give you is what was measured."
        )
    facts = [common.lead(first, asked_for_day=common.is_for_day(ask))]
    if indicators is not None:
        facts += [common.trend(indicators), common.rsi(indicators)]
    elif quotes is not None:
        facts.append(outlook.changes(quotes))
    return say.paragraphs(
        decline,
        say.sentences(*facts),
        common.moves(indicators) if indicators is not None else "",
        common.edge(signals.at("composite")) if signals is not None else "",
        common.missing_parts(
            results,
            {"quotes": "the quote", "indicators": "trend, RSI and risk", "signals": "the record"},
        ),
    )


def forecast(ask: Ask, results: Results, *judged: str) -> str:
    """Say what cannot be foretold, and what can; `judged` is what models of it were worth."""
    indicators, signals = results.good("indicators"), results.good("signals")
    first = indicators or signals
    symbol = first.text("symbol") if first is not None else "a price"
    honest = (
        f"**Which way {symbol} will go, I cannot tell you**, and I give no price targets: on "
        "direction, what I can measure is no better than doing nothing clever."
    )
    if signals is not None and signals.text("composite", "edge") == "measured edge":
        honest = f"**Which way {symbol} will go, nobody can promise**, and I give no price targets."
    if first is None:
        return say.paragraphs(
            honest,
            *judged,
            "How much it usually moves, where it stands and how often signals like today's were "
            "right: that I can tell you, if you name a symbol.",
        )
    parts = [honest, *judged]
    if signals is not None:
        parts.append(common.edge(signals.at("composite")))
    if indicators is not None:
        moves = common.moves(indicators)
        parts.append(
            say.sentences(
                moves,
                "How much a price moves is far steadier than which way: calm tends to follow calm, "
                "and storm to follow storm."
                if moves
                else "",
            )
        )
        parts.append(
            say.sentences(
                common.lead(indicators, asked_for_day=common.is_for_day(ask)),
                common.trend(indicators),
            )
        )
    parts.append(
        common.missing_parts(
            results, {"indicators": "trend and volatility", "signals": "the track record"}
        )
    )
    return say.paragraphs(*parts)
