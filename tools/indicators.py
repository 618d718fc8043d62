"""`indicators`: the classic indicators at a day, and whether their values are unusual."""

import asyncio
from typing import Annotated, Any

import msgspec

from tools import cards, technicals
from tools.analytics import changes, indicators, volatility
from tools.analytics.indicators import RANK_YEARS
from tools.analytics.prices import BARS_A_YEAR, Floats
from tools.analytics.volatility import Volatility
from tools.arguments import Arguments, AsOf, Symbol, Timeframe, json_schema, read_arguments
from tools.history import History, Market
from tools.quotes import notes
from tools.technicals import Technicals, number
from tools.tool import ToolContext, ToolResult


class IndicatorsArguments(Arguments, frozen=True):
    symbol: Symbol
    at: AsOf = None
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"


class IndicatorsTool:
    """Technical indicators of one instrument."""

    name = "indicators"
    description = (
        "Technical indicators of one instrument at one day: RSI 14, MACD 12/26/9, SMA 20/50/200, "
        "EMA 12/26, Bollinger bands 20/2, ATR, ADX with +DI and -DI, slow stochastic 14/3/3, "
        "on-balance volume over 20 bars, trend line over 50 closes, "
        "realised volatility over 20 and 60 days. Each of RSI, MACD, band width and volatility "
        "with its percentile rank, which answers whether it is unusual."
    )
    parameters = json_schema(IndicatorsArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(IndicatorsArguments, arguments)
        history = await self._market.history(
            asked.symbol, context, at=asked.at, timeframe=asked.timeframe
        )
        return await asyncio.to_thread(_answer, history)


def _answer(history: History) -> ToolResult:
    picture = technicals.look(history)
    data = describe(history, picture)
    timeframe = history.bars.timeframe
    units = technicals.of_bars(technicals.units(history.instrument.currency), timeframe)
    return ToolResult(
        data=data,
        summary=(
            f"computed the indicators of {history.symbol} on {history.day(-1)} "
            f"from {len(history.bars):,} {'daily' if timeframe == '1d' else timeframe} bars"
        ),
        source=history.instrument.source,
        as_of=history.as_of,
        units=technicals.used(units, data),
        cards=(
            cards.chart(
                history,
                picture.indicators,
                overlays="all",
                panes=("RSI", "MACD"),
                levels=picture.levels,
                line=picture.trend,
            ),
        ),
    )


def describe(history: History, picture: Technicals) -> dict[str, Any]:
    """Return every indicator at the last bar."""
    bars, computed = len(history.bars), picture.indicators
    close = float(history.bars.close[-1])
    shape = technicals.seed_shape(picture)
    return {
        **history.span(),
        "close": close,
        "ready": technicals.settled(bars),
        "notReady": technicals.not_ready(bars),
        "rsi": {
            "value": shape["rsi"],
            "period": 14,
            **_rank(computed.rsi, history),
            "reading": _reading(shape["rsi"]),
        },
        "macd": {**shape["macd"], **_rank(computed.macd_histogram, history)},
        "movingAverages": {
            **shape["movingAverages"],
            "closeVsSma20": _side(close, shape["movingAverages"]["sma20"]),
            "closeVsSma50": _side(close, shape["movingAverages"]["sma50"]),
            "closeVsSma200": _side(close, shape["movingAverages"]["sma200"]),
            "lastCrossing": _last_crossing(history, picture),
        },
        "bollingerBands": {
            **shape["bollingerBands"],
            "percentB": number(computed.percent_b(history.prices.close)[-1]),
            **_rank(computed.bandwidth, history),
        },
        "trend": _trend(picture),
        "volatility": _volatility(history, picture),
        "adx": number(computed.adx[-1]),
        "plusDi": number(computed.plus_di[-1]),
        "minusDi": number(computed.minus_di[-1]),
        "stochastic": {
            "k": number(computed.stochastic_k[-1]),
            "d": number(computed.stochastic_d[-1]),
        },
        "obvChange20": number(computed.obv[-1] - computed.obv[-21]) if bars > 20 else None,
        "notes": [
            *notes(history),
            *_of_other_bars(history.bars.timeframe),
            f"Percentile ranks compare with the last {RANK_YEARS} years before this day, those of "
            "volatility with all days before it.",
        ],
    }


def _of_other_bars(timeframe: str) -> list[str]:
    if timeframe == "1d":
        return []
    return [
        f"These are {timeframe} bars: where a name says day or daily it means one of them. A year "
        f"is counted as {BARS_A_YEAR[timeframe]:,.0f} of them."
    ]


def _rank(values: Floats, history: History) -> dict[str, Any]:
    ranked = indicators.rank(values, history.prices)
    if ranked is None:
        return {"percentileRank": None, "rankedDays": 0}
    return {"percentileRank": ranked[0], "rankedDays": ranked[1]}


def _reading(rsi: float | None) -> str | None:
    if rsi is None:
        return None
    if rsi >= 70:
        return "overbought by the textbook (70 and above)"
    if rsi <= 30:
        return "oversold by the textbook (30 and below)"
    return "between the textbook's 30 and 70"


def _side(close: float, average: float | None) -> dict[str, Any] | None:
    if not average:
        return None
    side = "above" if close > average else "below" if close < average else "at"
    return {"side": side, "distancePercent": 100.0 * (close / average - 1.0)}


def _last_crossing(history: History, picture: Technicals) -> dict[str, str] | None:
    last = len(history.bars) - 1
    passed = changes.crossings(history.prices, picture.indicators, max(0, last - 252), last)
    if not passed:
        return None
    return {"on": history.day(passed[-1].bar), "what": passed[-1].what}


def _trend(picture: Technicals) -> dict[str, Any] | None:
    line = picture.trend
    if line is None:
        return None
    return {
        "direction": line.direction,
        "slope": line.slope,
        "slopePercent": line.slope_percent,
        "slopePerAtr": line.slope_per_atr,
        "intercept": line.intercept,
        "r2": line.r2,
        "tValue": line.t_value,
        "closes": line.bars,
    }


def _volatility(history: History, picture: Technicals) -> dict[str, Any]:
    atr, close = number(picture.indicators.atr[-1]), float(history.bars.close[-1])
    usual = volatility.spread(history.prices.total, 20)
    return {
        "days20": _moves(picture.month),
        "days60": _moves(picture.quarter),
        "usualLowPercent": None if usual is None else usual[0],
        "usualHighPercent": None if usual is None else usual[1],
        "atr": atr,
        "atrPercent": None if atr is None or not close else 100.0 * atr / close,
    }


def _moves(moves: Volatility | None) -> dict[str, Any] | None:
    if moves is None:
        return None
    return {
        "dailyPercent": moves.daily,
        "annualisedPercent": moves.annualised,
        "percentileRank": moves.percentile,
        "rankedDays": moves.ranked,
    }
