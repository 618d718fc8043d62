"""One indicator, the trend, the levels, the volatility."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say

COMPUTED = "RSI, MACD, moving averages, Bollinger bands, average true range and ADX"


def indicator(ask: Ask, results: Results) -> str:
    """Write the indicators asked for, or the main ones when none is named."""
    found = results.good("indicators")
    if found is None:
        return ""
    names = ask.indicators or (() if ask.unsupported else ("rsi", "macd", "sma", "bollinger"))
    writers = {
        "rsi": _rsi,
        "macd": _macd,
        "sma": _averages,
        "ema": _exponential,
        "bollinger": _bands,
        "atr": _true_range,
        "adx": _adx,
    }
    said = [writers[name](found, ask) for name in names if name in writers]
    if ask.unsupported:
        said.insert(0, f"I do not compute {ask.unsupported}. I have {COMPUTED}.")
        if not ask.indicators:
            said.append(common.rsi(found, subject=f"For instance, {found.text('symbol')}'s RSI"))
    if len(names) > 1 or not names:
        return say.paragraphs(common.lead(found, asked_for_day=common.is_for_day(ask)), *said)
    return say.paragraphs(*said, _as_of(found, ask))


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
            f"{say.slope(abs(slope))} a day, a slope of {say.percent(abs(percent), digits=2)} of the close, "
            f"and explains {_share(r2)} of the movement (R² {say.small(r2)})."
        )
    elif found.text("notReady", "trend"):
        fit = f"It {found.text('notReady', 'trend')}."
    sides = common.averages(found)
    strength = found.number("adx")
    adx = ""
    if strength is not None:
        adx = f"ADX is {say.index(strength)}: {_strength(strength)}."
    return say.paragraphs(
        say.sentences(head, fit),
        say.sentences(f"The close is {sides}." if sides else "", _crossing(found), adx),
        _as_of(found, ask),
        "A trend describes what has been; that it goes on is not measured.",
    )


def levels(ask: Ask, results: Results) -> str:
    """Write support and resistance, and what they are worth."""
    found = results.good("indicators")
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
        _as_of(found, ask),
        "These lines are drawing aids: measured, prices turn there **no more often** than at lines "
        "drawn at random.",
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
    return say.paragraphs(say.sentences(head, twenty), say.sentences(*more), _as_of(found, ask))


def _rsi(found: Result, ask: Ask) -> str:
    symbol = found.text("symbol")
    value = found.number("rsi", "value")
    if value is None:
        return common.rsi(found)
    verdict = (
        "overbought"
        if value >= 70
        else "oversold"
        if value <= 30
        else "neither overbought nor oversold"
    )
    rank, ranked = found.number("rsi", "percentileRank"), found.number("rsi", "rankedDays")
    said = f"**{symbol}'s RSI is {say.index(value)}: {verdict}** by the textbook."
    if rank is not None and ranked is not None:
        said += (
            f" That is higher than on {common.share_of_days(found, rank, 'rsi')}: "
            f"{common.stretch(value, rank)}."
        )
    period = found.number("rsi", "period")
    if period is not None and any(length != period for length in ask.lengths):
        said += f" I compute RSI over {say.count(period)} closes only."
    return said


def _macd(found: Result, ask: Ask) -> str:
    symbol = found.text("symbol")
    macd, signal = found.number("macd", "macd"), found.number("macd", "signal")
    histogram, rank = found.number("macd", "histogram"), found.number("macd", "percentileRank")
    if macd is None or signal is None or histogram is None:
        return _not_ready(found, "macd", "MACD")
    side = "above" if histogram > 0 else "below" if histogram < 0 else "on"
    said = (
        f"**{symbol}'s MACD is {say.small(macd)}, {side} its signal line at {say.small(signal)}**: "
        f"the histogram is {say.small(histogram)}"
    )
    if rank is not None:
        said += f", higher than on {common.share_of_days(found, rank, 'macd')}"
    meaning = "momentum is picking up" if histogram > 0 else "momentum is fading"
    return f"{said}. By the textbook, {meaning}."


def _averages(found: Result, ask: Ask) -> str:
    symbol, close = found.text("symbol"), found.number("close")
    have = ("20", "50", "200")
    wanted = [str(length) for length in ask.lengths if str(length) in have] or list(have)
    body = []
    for length in wanted:
        average = found.number("movingAverages", f"sma{length}")
        side = found.text("movingAverages", f"closeVsSma{length}", "side")
        distance = found.number("movingAverages", f"closeVsSma{length}", "distancePercent")
        if average is not None and distance is not None:
            body.append((length, average, side, distance))
    if not body:
        return _not_ready(found, f"sma{wanted[0]}", f"{wanted[0]}-day average")
    other = (
        ""
        if all(str(length) in have for length in ask.lengths)
        else ("I compute the 20-, 50- and 200-day averages only.")
    )
    if len(body) == 1:
        length, average, side, distance = body[0]
        head = (
            f"**{symbol} is {say.percent(abs(distance))} {side} its {length}-day average** of "
            f"{say.price(average)}"
        )
        closed = f", with a close of {say.price(close)}." if close is not None else "."
        return say.sentences(head + closed, _crossing(found), other)
    table = say.table(
        ["Average", "Value", "Close is"],
        [
            [f"{length}-day average", say.price(average), f"{say.percent(abs(distance))} {side}"]
            for length, average, side, distance in body
        ],
    )
    sides = common.averages(found)
    head = f"**{symbol} is {sides}.**" if sides else f"**{symbol}'s moving averages**"
    return say.paragraphs(head, table, say.sentences(_crossing(found), other))


def _exponential(found: Result, ask: Ask) -> str:
    symbol, close = found.text("symbol"), found.number("close")
    have = ("12", "26")
    wanted = [str(length) for length in ask.lengths if str(length) in have] or list(have)
    values = [
        (length, value)
        for length in wanted
        if (value := found.number("movingAverages", f"ema{length}")) is not None
    ]
    if not values:
        return _not_ready(found, f"ema{wanted[0]}", f"{wanted[0]}-day exponential average")
    said = say.listed(
        f"its {length}-day exponential average (EMA) is {say.price(value)}"
        for length, value in values
    )
    other = (
        ""
        if all(str(length) in have for length in ask.lengths)
        else ("I compute the 12- and 26-day exponential averages only.")
    )
    closed = f" The close is {say.price(close)}." if close is not None else ""
    return say.sentences(f"**{symbol}**: {said}.{closed}", other)


def _bands(found: Result, ask: Ask) -> str:
    symbol, close = found.text("symbol"), found.number("close")
    upper, lower = found.number("bollingerBands", "upper"), found.number("bollingerBands", "lower")
    middle, place = (
        found.number("bollingerBands", "middle"),
        found.number("bollingerBands", "percentB"),
    )
    rank = found.number("bollingerBands", "percentileRank")
    if upper is None or lower is None or middle is None or close is None:
        return _not_ready(found, "bollinger", "Bollinger bands")
    where = "inside"
    if close > upper:
        where = "above the upper of"
    elif close < lower:
        where = "below the lower of"
    said = (
        f"**{symbol} closed at {say.price(close)}, {where} its Bollinger bands**: lower "
        f"{say.price(lower)}, middle {say.price(middle)}, upper {say.price(upper)}."
    )
    if place is not None:
        said += f" On the scale where the lower band is zero and the upper one, %b is {say.small(place)}."
    if rank is not None:
        wide = "wide" if rank >= 80 else "narrow" if rank <= 20 else "of ordinary width"
        said += (
            f" The bands are {wide}: their width is higher than on "
            f"{common.share_of_days(found, rank, 'bollingerBands')}."
        )
    return said


def _true_range(found: Result, ask: Ask) -> str:
    atr, share = found.number("volatility", "atr"), found.number("volatility", "atrPercent")
    if atr is None or share is None:
        return _not_ready(found, "atr", "average true range")
    return (
        f"**{found.text('symbol')}'s average true range (ATR) is {say.price(atr)}**, "
        f"{say.percent(share)} of the close: about how far it travels in a day, gaps included."
    )


def _adx(found: Result, ask: Ask) -> str:
    value = found.number("adx")
    if value is None:
        return _not_ready(found, "adx", "ADX")
    return (
        f"**{found.text('symbol')}'s ADX is {say.index(value)}**: {_strength(value)}. "
        "It measures how strongly the price moves one way, not which way."
    )


def _strength(adx: float) -> str:
    if adx >= 40:
        return "a strong directional movement"
    if adx >= 25:
        return "a clear directional movement"
    return "little directional movement"


def _not_ready(found: Result, key: str, name: str) -> str:
    reason = found.text("notReady", key)
    why = f": it {reason}" if reason else ""
    return f"**There is no {name} for {found.text('symbol')} yet**{why}."


def _crossing(found: Result) -> str:
    on = found.day("movingAverages", "lastCrossing", "on")
    what = found.text("movingAverages", "lastCrossing", "what")
    return f"Its latest crossing: {what} on {say.on_day(on)}." if on is not None and what else ""


def _as_of(found: Result, ask: Ask) -> str:
    """Return the day and the close the figures belong to."""
    last, close = found.day("lastBar"), found.number("close")
    if last is None or close is None:
        return ""
    which = "" if common.is_for_day(ask) else ", the last bar I have"
    return f"As of {say.on_day(last)}{which} (close {say.price(close)})."


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
