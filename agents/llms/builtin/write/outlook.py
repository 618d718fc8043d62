"""How something looks right now: where it is, what is unusual, what may be expected."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write import common
from agents.llms.builtin.write import expected as models
from agents.llms.builtin.write import phrases as say


def outlook(ask: Ask, results: Results) -> str:
    """Write the picture of one instrument from quotes, indicators and signals."""
    quotes = results.good("quotes")
    indicators, signals = results.good("indicators"), results.good("signals")
    first = quotes or indicators or signals
    if first is None:
        return ""
    start = [common.lead(first, asked_for_day=common.is_for_day(ask))]
    if indicators is not None:
        start += [common.trend(indicators), common.rsi(indicators)]
    elif quotes is not None:
        start.append(changes(quotes))
    moving = common.moves(indicators) if indicators is not None else ""
    expected = models.sentence(results)
    direction = common.edge(signals.at("composite")) if signals is not None else ""
    return say.paragraphs(
        say.sentences(*start),
        moving,
        expected,
        common.unusual(quotes, indicators) if ask.unusual else "",
        direction,
        active(signals) if signals is not None else "",
        common.missing_parts(
            results,
            {
                "quotes": "the latest quote",
                "indicators": "trend, RSI and volatility",
                "signals": "signals and their track record",
            },
        ),
    )


def changes(quotes: Result) -> str:
    """Return one sentence on the latest changes."""
    said = []
    for key, name in (
        ("oneDay", "on the day"),
        ("fiveDays", "over five days"),
        ("oneMonth", "over a month"),
        ("oneYear", "over a year"),
    ):
        change = quotes.number("changes", key, "changePercent")
        if change is not None:
            said.append(f"{say.signed(change)} {name}")
    return f"That is {say.listed(said)}." if said else ""


def active(signals: Result) -> str:
    """Return the valid signals as a short list."""
    valid = signals.rows("signals")
    if not valid:
        return "No signal is active."
    shown = [f"- {common.signal_line(signal)}" for signal in valid[:4]]
    more = "" if len(valid) <= 4 else "\n\nMore signals are active than the four shown."
    return "Active signals:\n\n" + "\n".join(shown) + more
