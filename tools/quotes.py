"""`quotes`: what a price is, what it was, and what changed in between."""

import asyncio
from datetime import date
from typing import Annotated, Any

import msgspec
import numpy as np

from tools import cards
from tools.analytics import changes, indicators
from tools.analytics.changes import Change
from tools.analytics.prices import percent_change, years_before
from tools.arguments import Arguments, Symbol, Timeframe, json_schema, read_arguments
from tools.errors import InvalidArguments
from tools.history import History, Market, Period, months_before, start_of
from tools.technicals import of_bars, used
from tools.tool import ToolContext, ToolResult


class QuotesArguments(Arguments, frozen=True):
    symbol: Symbol
    from_: Annotated[
        date | None,
        msgspec.Meta(description="First day (YYYY-MM-DD) of the change to describe."),
    ] = msgspec.field(name="from", default=None)
    to: Annotated[
        date | None,
        msgspec.Meta(description="Speak as of this day (YYYY-MM-DD); default: the last bar."),
    ] = None
    period: Annotated[
        Period | None,
        msgspec.Meta(description="Instead of `from`: how far back from `to` or the last bar."),
    ] = None
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"


class Quotes:
    """Prices of one instrument."""

    name = "quotes"
    description = (
        "Price history of one instrument, summed up: last close and volume, change over 1 day, "
        "5 days, 1 month and 1 year, place in the 52-week range. With `from` or `period` also the "
        "price over that time: both closes, return, high and low with their dates, deepest fall. "
        "Prices are historical; `lastBar` says how old."
    )
    parameters = json_schema(QuotesArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(QuotesArguments, arguments)
        if asked.from_ is not None and asked.to is not None and asked.from_ >= asked.to:
            raise InvalidArguments(f"`from` ({asked.from_}) must be before `to` ({asked.to}).")
        history = await self._market.history(
            asked.symbol, context, at=asked.to, timeframe=asked.timeframe
        )
        return await asyncio.to_thread(_answer, history, asked)


def _answer(history: History, asked: QuotesArguments) -> ToolResult:
    computed = indicators.compute(history.prices)
    data = quote(history)
    kind = "daily" if history.bars.timeframe == "1d" else history.bars.timeframe
    said = f"read {len(history.bars):,} {kind} bars of {history.symbol} up to {history.day(-1)}"
    if asked.from_ is not None or asked.period is not None:
        start = start_of(history, start=asked.from_, period=asked.period)
        change = changes.between(history.prices, computed, start, len(history.bars) - 1)
        data["period"] = {**describe_change(history, change, start), "change": change.change}
        said += f" and compared them with {history.day(start)}"
    currency = history.instrument.currency
    return ToolResult(
        data=data,
        summary=said,
        source=history.instrument.source,
        as_of=history.as_of,
        units=used(of_bars(units(currency), history.bars.timeframe), data),
        cards=(cards.chart(history, computed),),
    )


def quote(history: History) -> dict[str, Any]:
    """Return the last bar and where it stands."""
    bars, last = history.bars, len(history.bars) - 1
    data: dict[str, Any] = {
        **history.span(),
        "currency": history.instrument.currency,
        "open": float(bars.open[-1]),
        "high": float(bars.high[-1]),
        "low": float(bars.low[-1]),
        "close": float(bars.close[-1]),
        "volume": float(bars.volume[-1]),
        "changes": {name: _since(history, bar) for name, bar in _starts(history).items()},
    }
    start = years_before(bars.timestamps, last, 1)
    low, high = float(bars.low[start:].min()), float(bars.high[start:].max())
    data["yearRange"] = {
        "low": low,
        "lowOn": history.day(start + int(np.argmin(bars.low[start:]))),
        "high": high,
        "highOn": history.day(start + int(np.argmax(bars.high[start:]))),
        "placePercent": 100.0 * (data["close"] - low) / (high - low) if high > low else None,
        "bars": last + 1 - start,
    }
    usual = float(bars.volume[-51:-1].mean()) if last >= 50 else None
    data["averageVolume50"] = usual
    data["volumeRatio"] = data["volume"] / usual if usual else None
    data["notes"] = notes(history)
    return data


def notes(history: History) -> list[str]:
    """Return what a reader of the numbers must know about their source."""
    return history.notes()


def describe_change(history: History, change: Change, start: int) -> dict[str, Any]:
    """Return what changed from bar `start` to the last one."""
    last = len(history.bars) - 1
    return {
        "from": history.day(start),
        "to": history.day(last),
        "tradingDays": last - start,
        "startClose": change.then.close,
        "endClose": change.now.close,
        "changePercent": change.change_percent,
        "totalReturnPercent": change.total_return_percent,
        "high": change.high,
        "highOn": history.day(change.high_bar),
        "low": change.low,
        "lowOn": history.day(change.low_bar),
        "drawdownPercent": change.drawdown_percent,
        "newHighs": change.new_highs,
        "newLows": change.new_lows,
    }


def units(currency: str) -> dict[str, str]:
    """Return the units of what `quote` and `describe_change` give."""
    prices = ("open", "high", "low", "close", "closeThen", "change", "startClose", "endClose")
    percents = ("changePercent", "placePercent", "totalReturnPercent", "drawdownPercent")
    return {
        **dict.fromkeys(prices, currency),
        **dict.fromkeys(percents, "%"),
        "volume": "shares",
        "averageVolume50": "shares",
        "volumeRatio": "times the 50-day average",
        "bars": "daily bars",
        "newestBarAgeDays": "days",
        "suspectBars": "bars",
        "tradingDays": "days",
        "newHighs": "days",
        "newLows": "days",
    }


def _starts(history: History) -> dict[str, int | None]:
    """Return the bar each change is counted from; None where the history is too short."""
    last, today = len(history.bars) - 1, history.bars.day(-1)

    def before(months: int) -> int | None:
        bar = len(history.bars.until(months_before(today, months))) - 1
        return bar if bar >= 0 else None

    if history.bars.timeframe != "1d":
        return {
            "oneBar": last - 1 if last >= 1 else None,
            "oneMonth": before(1),
            "oneYear": before(12),
        }
    return {
        "oneDay": last - 1 if last >= 1 else None,
        "fiveDays": last - 5 if last >= 5 else None,
        "oneMonth": before(1),
        "oneYear": before(12),
    }


def _since(history: History, bar: int | None) -> dict[str, Any] | None:
    if bar is None:
        return None
    then, now = float(history.bars.close[bar]), float(history.bars.close[-1])
    return {
        "since": history.day(bar),
        "closeThen": then,
        "change": now - then,
        "changePercent": percent_change(now, then),
    }
