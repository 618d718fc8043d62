"""The trend, the levels, the volatility: what the chart of one instrument shows."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say


def trend(ask: Ask, results: Results) -> str:
    """Write whether there is a trend and how much of one."""
    found = results.good("indicators")
    if found is None:
        return ""
    symbol, line = found.text("symbol"), found.at("trend")
    direction = text(line, "direction")
    head = {
        "up": f"**{symbol} is in an up-trend.**",
        "down": f"**{symbol} is in a down-trend.**",
        "sideways": f"**{symbol} has no clear trend.**",
    }.get(direction, f"**I cannot say whether {symbol} trends.**")
    slope, percent, r2 = number(line, "slope"), number(line, "slopePercent"), number(line, "r2")
    closes = number(line, "closes")
    fit = ""
    if slope is not None and percent is not None and r2 is not None and closes is not None:
        moves = "rises" if slope > 0 else "falls"
        fit = (
            f"The straight line through its last {say.count(closes)} closes {moves} "
            f"{say.slope(abs(slope))} a day, a slope of {say.percent(abs(percent), digits=2)} of "
            f"the close, and explains {_share(r2)} of the movement (R² {say.small(r2)})."
        )
    elif found.text("notReady", "trend"):
        fit = f"It {found.text('notReady', 'trend')}."
    sides = common.averages(found)
    strength = found.number("adx")
    adx = ""
    if strength is not None:
        adx = f"ADX is {say.index(strength)}: {common.strength(strength)}."
    return say.paragraphs(
        say.sentences(head, fit),
        say.sentences(f"The close is {sides}." if sides else "", common.crossing(found), adx),
        common.as_of(found, ask),
        "A trend describes what has been; that it goes on is not measured.",
    )


def levels(ask: Ask, results: Results) -> str:
    """Write support and resistance, the line, and what they are worth."""
    found = results.good("levels")
    if found is None:
        return ""
    symbol, close = found.text("symbol"), found.number("close")
    support, resistance = found.rows("support"), found.rows("resistance")
    parts = []
    if support and (price := number(support[0], "price")) is not None:
        parts.append(f"nearest support at {say.price(price)}")
    else:
        parts.append("no support below the close")
    if resistance and (price := number(resistance[0], "price")) is not None:
        parts.append(f"nearest resistance at {say.price(price)}")
    else:
        parts.append("no resistance above the close")
    closed = f" The close is {say.price(close)}." if close is not None else ""
    body = [_level("Resistance", row) for row in reversed(resistance)]
    body += [_level("Support", row) for row in support]
    return say.paragraphs(
        f"**{symbol}: {say.listed(parts)}.**{closed}",
        say.table(["Level", "Price", "Distance", "Touches", "Last touch"], body) if body else "",
        say.sentences(_trend_line(found), _range(found)),
        common.as_of(found, ask),
        _placebo(found),
    )


def _trend_line(found: Result) -> str:
    value, distance = (
        found.number("trendLine", "value"),
        found.number("trendLine", "closeVsLinePercent"),
    )
    direction, closes = found.text("trendLine", "direction"), found.number("trendLine", "closes")
    if value is None or distance is None or closes is None:
        return ""
    named = {"up": "rising", "down": "falling"}.get(direction, "without a clear direction")
    side = "above" if distance > 0 else "below"
    return (
        f"The line through its last {say.count(closes)} closes, {named}, stands at "
        f"{say.price(value)}; the close is {say.percent(abs(distance))} {side} it."
    )


def _range(found: Result) -> str:
    low, high = found.number("yearRange", "low"), found.number("yearRange", "high")
    if low is None or high is None:
        return ""
    return f"Its one-year range is {say.price(low)} (low) to {say.price(high)} (high)."


def _placebo(found: Result) -> str:
    at = found.number("placebo", "atLevelsPercent")
    shifted = found.number("placebo", "atShiftedLinesPercent")
    cases = found.number("placebo", "cases")
    said = (
        "These lines are drawing aids without confidence: measured, prices turn there **hardly "
        "more often** than at lines drawn beside them"
    )
    if at is None or shifted is None or cases is None:
        return f"{said}."
    return (
        f"{said} ({say.percent(at)} of {say.count(cases)} cases, against {say.percent(shifted)})."
    )


def volatility(ask: Ask, results: Results) -> str:
    """Write how much it moves and whether that is usual."""
    found = results.good("indicators")
    if found is None:
        return ""
    symbol = found.text("symbol")
    rank = found.number("volatility", "days20", "percentileRank")
    daily = found.number("volatility", "days20", "dailyPercent")
    if daily is None:
        return say.paragraphs(f"**I cannot say how volatile {symbol} is.**", common.moves(found))
    head = f"**{symbol}'s daily moves over the last 20 days are {say.percent(daily)}"
    head += f": {common.calm(rank)}.**" if rank is not None else ".**"
    low = found.number("volatility", "usualLowPercent")
    high = found.number("volatility", "usualHighPercent")
    twenty = f"That is higher than on {say.rank(rank)} of its days." if rank is not None else ""
    if low is not None and high is not None:
        twenty += f" Its usual range is {say.small(low, 1)} to {say.percent(high)}."
    longer = found.number("volatility", "days60", "dailyPercent")
    yearly = found.number("volatility", "days20", "annualisedPercent")
    longer_rank = found.number("volatility", "days60", "percentileRank")
    atr, atr_percent = found.number("volatility", "atr"), found.number("volatility", "atrPercent")
    more = []
    if longer is not None:
        compared = (
            f", higher than on {say.rank(longer_rank)} of days" if longer_rank is not None else ""
        )
        more.append(f"Over the last 60 days the daily moves were {say.percent(longer)}{compared}.")
    if yearly is not None:
        more.append(f"The last 20 days come to {say.percent(yearly)} a year.")
    if atr is not None and atr_percent is not None:
        more.append(
            f"The average true range, high to low, is {say.price(atr)} "
            f"({say.percent(atr_percent)} of the close)."
        )
    return say.paragraphs(
        say.sentences(head, twenty), say.sentences(*more), common.as_of(found, ask)
    )


def _level(kind: str, row: dict[str, object]) -> list[str]:
    price, distance = number(row, "price"), number(row, "distancePercent")
    touches, last = number(row, "touches"), day(row, "lastTouchOn")
    return [
        kind,
        "–" if price is None else say.price(price),
        "–" if distance is None else say.signed(distance),
        "–" if touches is None else say.count(touches),
        "–" if last is None else say.on_day(last),
    ]


def _share(r2: float) -> str:
    if r2 >= 0.9:
        return "nearly all"
    if r2 >= 0.6:
        return "most"
    return "some" if r2 >= 0.25 else "little"
