"""`levels`: where the price turned before, and the line through it. Drawn, never believed."""

import asyncio
from typing import Annotated, Any

import msgspec
import numpy as np

from tools import cards, technicals
from tools.analytics.levels import Level
from tools.analytics.prices import years_before
from tools.arguments import Arguments, AsOf, Symbol, Timeframe, json_schema, read_arguments
from tools.history import History, Market
from tools.quotes import notes
from tools.technicals import Technicals, number
from tools.tool import ToolContext, ToolResult

PLACEBO = {
    "event": (
        "the price reaches a support and, within twenty bars, rises one average true range from "
        "it before it falls one below"
    ),
    "atLevelsPercent": 52.4,
    "atShiftedLinesPercent": 51.1,
    "cases": 27_054,
    "symbols": 97,
    "measuredOn": "2026-11-26",
}
"""How often prices turned at such levels, and at the same lines shifted by 1.5 ATR.

The support row of the placebo test in `docs/signals.md`, which `tests.studies.signal_study` prints.
"""


class LevelsArguments(Arguments, frozen=True):
    symbol: Symbol
    at: AsOf = None
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"


class Levels:
    """Support, resistance and the trend line of one instrument."""

    name = "levels"
    description = (
        "Support and resistance of one instrument (each with its touches, last touch and distance "
        "from the close), the trend line over 50 closes, and the 52-week range. Drawing aids "
        "without confidence: measured, prices turn there hardly more often than at lines that mean "
        "nothing; say so when you name a level."
    )
    parameters = json_schema(LevelsArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(LevelsArguments, arguments)
        history = await self._market.history(
            asked.symbol, context, at=asked.at, timeframe=asked.timeframe
        )
        return await asyncio.to_thread(_answer, history)


def _answer(history: History) -> ToolResult:
    picture = technicals.look(history)
    data = describe(history, picture)
    return ToolResult(
        data=data,
        summary=(
            f"found {len(picture.support)} levels below and {len(picture.resistance)} above the "
            f"close of {history.symbol} on {history.day(-1)}"
        ),
        source=history.instrument.source,
        as_of=history.as_of,
        units=technicals.used(
            technicals.of_bars(units(history.instrument.currency), history.bars.timeframe), data
        ),
        cards=(
            cards.chart(
                history,
                picture.indicators,
                panes=(),
                levels=picture.levels,
                line=picture.trend,
            ),
        ),
    )


def describe(history: History, picture: Technicals) -> dict[str, Any]:
    """Return what is drawn on the chart of the last bar."""
    bars, last = history.bars, len(history.bars) - 1
    close = float(bars.close[-1])
    atr = number(picture.indicators.atr[-1])
    start = years_before(bars.timestamps, last, 1)
    low, high = start + int(np.argmin(bars.low[start:])), start + int(np.argmax(bars.high[start:]))
    return {
        **history.span(),
        "close": close,
        "atr": atr,
        "support": [_level(history, level, close, atr) for level in picture.support],
        "resistance": [_level(history, level, close, atr) for level in picture.resistance],
        "trendLine": _line(history, picture, close),
        "yearRange": {
            "low": float(bars.low[low]),
            "lowOn": history.day(low),
            "high": float(bars.high[high]),
            "highOn": history.day(high),
        },
        "placebo": PLACEBO,
        "notes": [
            *notes(history),
            "Support and resistance carry no confidence: prices turn there hardly more often than "
            "at lines that mean nothing (`placebo`). A level is known five bars after its last "
            "touch.",
        ],
    }


def _level(history: History, level: Level, close: float, atr: float | None) -> dict[str, Any]:
    return {
        "price": level.price,
        "touches": level.touches,
        "lastTouchOn": history.day(level.pivot_at),
        "knownSince": history.day(level.confirmed_at),
        "distancePercent": 100.0 * (level.price / close - 1.0),
        "distanceInAtr": None if not atr else abs(level.price - close) / atr,
    }


def _line(history: History, picture: Technicals, close: float) -> dict[str, Any] | None:
    line = picture.trend
    if line is None:
        return None
    value = line.at(line.bars - 1)
    return {
        "direction": line.direction,
        "slope": line.slope,
        "slopePercent": line.slope_percent,
        "r2": line.r2,
        "closes": line.bars,
        "from": history.day(len(history.bars) - line.bars),
        "value": value,
        "closeVsLinePercent": 100.0 * (close / value - 1.0) if value else None,
    }


def units(currency: str) -> dict[str, str]:
    """Return the units of a levels result."""
    inherited = technicals.units(currency)
    return {
        **inherited,
        "value": currency,
        "high": currency,
        "low": currency,
        "distanceInAtr": "average true ranges",
        "closeVsLinePercent": "%",
        "atLevelsPercent": "% of cases",
        "atShiftedLinesPercent": "% of cases",
        "cases": "past cases",
        "symbols": "symbols",
    }
