"""One indicator, or the main ones together."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results
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
    return say.paragraphs(*said, common.as_of(found, ask))


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
    verb = "was" if common.is_for_day(ask) else "is"
    said = f"**{symbol}'s RSI {verb} {say.index(value)}: {verdict}** by the textbook."
    if rank is not None and ranked is not None:
        said += f" That {verb} higher than on {common.share_of_days(found, rank, 'rsi')}"
        said += f": {common.stretch(value, rank)}." if 30 < value < 70 else "."
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
        return say.sentences(head + closed, common.crossing(found), other)
    table = say.table(
        ["Average", "Value", "Close is"],
        [
            [f"{length}-day average", say.price(average), f"{say.percent(abs(distance))} {side}"]
            for length, average, side, distance in body
        ],
    )
    sides = common.averages(found)
    head = f"**{symbol} is {sides}.**" if sides else f"**{symbol}'s moving averages**"
    return say.paragraphs(head, table, say.sentences(common.crossing(found), other))


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
        said += " On a scale with the lower band at zero and the upper band at one, "
        said += f"%b is {say.small(place)}."
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
        f"**{found.text('symbol')}'s ADX is {say.index(value)}**: {common.strength(value)}. "
        "It measures how strongly the price moves one way, not which way."
    )


def _not_ready(found: Result, key: str, name: str) -> str:
    reason = found.text("notReady", key)
    why = f": it {reason}" if reason else ""
    return f"**There is no {name} for {found.text('symbol')} yet**{why}."
