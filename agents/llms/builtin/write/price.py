"""What a price is or was, what it did over a time, how far it reached, how much was traded."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say
from agents.llms.builtin.write.outlook import changes


def price(ask: Ask, results: Results) -> str:
    """Write the quote of the last bar, or of the day asked for."""
    quotes = results.good("quotes")
    if quotes is None:
        return ""
    return say.paragraphs(
        say.sentences(
            common.lead(quotes, asked_for_day=common.is_for_day(ask)),
            _other_day(ask, quotes),
            changes(quotes),
        ),
        say.sentences(_bar(quotes), _year_range(quotes)),
    )


def performance(ask: Ask, results: Results) -> str:
    """Write what the price did between two days."""
    quotes = results.good("quotes")
    if quotes is None:
        return ""
    if not isinstance(quotes.at("period"), dict):
        return price(ask, results)
    return say.paragraphs(
        say.sentences(_headline(quotes), _total(quotes)),
        say.sentences(_reach(quotes), _deepest(quotes)),
        "Past performance; nothing in it says what comes next.",
    )


def extremes(ask: Ask, results: Results) -> str:
    """Write high, low, place in the range and deepest fall."""
    quotes = results.good("quotes")
    if quotes is None:
        return ""
    period = quotes.at("period")
    return say.paragraphs(
        common.lead(quotes, asked_for_day=common.is_for_day(ask)),
        _year_range(quotes) if ask.period is None or ask.period.preset == "1y" else "",
        say.sentences(_reach(quotes) if ask.period is not None else "", _deepest(quotes))
        if isinstance(period, dict)
        else "",
    )


def volume(ask: Ask, results: Results) -> str:
    """Write how much was traded and whether that is usual."""
    quotes = results.good("quotes")
    if quotes is None:
        return ""
    symbol, last = quotes.text("symbol"), quotes.day("lastBar")
    traded, usual = quotes.number("volume"), quotes.number("averageVolume50")
    ratio = quotes.number("volumeRatio")
    if traded is None or last is None:
        return f"**I have no volume for {symbol}.**"
    said = f"**{say.amount(traded)} shares of {symbol} were traded on {say.on_day(last)}**"
    if not common.is_for_day(ask):
        said += ", the last bar I have"
    if usual is None or ratio is None:
        return f"{said}. There are too few bars for an average to compare with."
    if ratio >= 2:
        judged = "unusually busy"
    elif ratio >= 1.25:
        judged = "busier than usual"
    elif ratio <= 0.5:
        judged = "unusually quiet"
    elif ratio <= 0.8:
        judged = "quieter than usual"
    else:
        judged = "about as usual"
    return (
        f"{said}: {judged}. That volume is {say.times(ratio)} the 50-day average of "
        f"{say.amount(usual)} shares."
    )


def _headline(quotes: Result) -> str:
    symbol = quotes.text("symbol")
    change = quotes.number("period", "changePercent")
    start, end = quotes.number("period", "startClose"), quotes.number("period", "endClose")
    first, last = quotes.day("period", "from"), quotes.day("period", "to")
    if change is None or start is None or end is None or first is None or last is None:
        return f"I have no change for {symbol}."
    verb = "rose" if change > 0 else "fell" if change < 0 else "did not move"
    moved = f" {say.percent(abs(change))}" if change else ""
    return (
        f"**{symbol} {verb}{moved}**, from a close of {say.price(start)} on {say.on_day(first)} "
        f"to {say.price(end)} on {say.on_day(last)}."
    )


def _total(quotes: Result) -> str:
    change = quotes.number("period", "changePercent")
    total = quotes.number("period", "totalReturnPercent")
    if total is None or change is None or abs(total - change) < 0.05:
        return ""
    return f"With dividends the total return is {say.signed(total)}."


def _reach(quotes: Result) -> str:
    high, low = quotes.number("period", "high"), quotes.number("period", "low")
    high_on, low_on = quotes.day("period", "highOn"), quotes.day("period", "lowOn")
    if high is None or low is None or high_on is None or low_on is None:
        return ""
    return (
        f"After that day the high was {say.price(high)} on {say.on_day(high_on)} and the low "
        f"{say.price(low)} on {say.on_day(low_on)}."
    )


def _deepest(quotes: Result) -> str:
    fall = quotes.number("period", "drawdownPercent")
    if not fall:
        return ""
    return f"The deepest fall from a peak on the way (drawdown) was {say.percent(abs(fall))}."


def _other_day(ask: Ask, quotes: Result) -> str:
    asked = ask.period.on if ask.period is not None else None
    last = quotes.day("lastBar")
    if asked is None or last is None or asked == last:
        return ""
    return "It is the last bar on or before the day you asked for."


def _bar(quotes: Result) -> str:
    opened, high = quotes.number("open"), quotes.number("high")
    low, traded = quotes.number("low"), quotes.number("volume")
    if opened is None or high is None or low is None:
        return ""
    said = (
        f"That day it opened at {say.price(opened)}, with a high of {say.price(high)} and a low of "
        f"{say.price(low)}"
    )
    return f"{said}; {say.amount(traded)} shares were traded." if traded else f"{said}."


def _year_range(quotes: Result) -> str:
    low, high = quotes.number("yearRange", "low"), quotes.number("yearRange", "high")
    low_on, high_on = quotes.day("yearRange", "lowOn"), quotes.day("yearRange", "highOn")
    if low is None or high is None or low_on is None or high_on is None:
        return ""
    said = (
        f"Its one-year range is {say.price(low)} (low, {say.on_day(low_on)}) to "
        f"{say.price(high)} (high, {say.on_day(high_on)})"
    )
    place = quotes.number("yearRange", "placePercent")
    return (
        f"{said}; the close stands {say.percent(place, digits=0)} of the way up."
        if place is not None
        else f"{said}."
    )
