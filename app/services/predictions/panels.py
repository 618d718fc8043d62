"""Stored bars as arrays that models read: split-adjusted, beside the total return.

Nothing is read that had not closed at the asked moment.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from app.domain.errors import Invalid
from inference.panel import Panel, Series
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.ports import BarStore

BARS_A_YEAR = {"1d": 252.0, "1w": 52.0, "1mo": 12.0}
"""Of timeframes of which every market has about the same number; others are counted."""
_MOST = 1_000_000_000
_YEAR_S = 365.25 * 86_400


@dataclass(frozen=True)
class AsKnown:
    """Which versions of bars are read: those that the desk had at a moment."""

    at: datetime
    backfilled: bool = False
    """The desk had none of them then: they are read as they first came."""


async def read_panel(
    bars: BarStore,
    symbols: Sequence[str],
    *,
    timeframe: str = "1d",
    as_of: datetime,
    limit: int | None = None,
    known: AsKnown | None = None,
) -> Panel:
    """Return the bars of some instruments that had closed by `as_of`, the newest `limit` of each:
    as they are believed now, or as they were `known`.

    Symbols that nobody knows or that have no bars are left out.

    Raises:
        Invalid: the timeframe is unknown.
    """
    if timeframe not in TIMEFRAMES:
        raise Invalid(f"The timeframe must be one of {', '.join(TIMEFRAMES)}.")
    # One more than asked for: the newest may still be open.
    wanted = _MOST if limit is None else limit + 1
    read = await bars.read_many(
        list(symbols),
        timeframe=timeframe,
        end=as_of,
        limit=wanted,
        known_at=None if known is None else known.at,
        backfilled=known is not None and known.backfilled,
    )
    found = [read[symbol] for symbol in dict.fromkeys(symbols) if symbol in read]
    return await asyncio.to_thread(_panel, found, timeframe, as_of, limit)


async def as_known(
    bars: BarStore, symbols: Sequence[str], *, timeframe: str, at: datetime, end: datetime
) -> AsKnown:
    """Return how to read bars up to `end` as of a moment: strictly as they were known then, or,
    where the desk had none of them yet, as they first came.
    """
    # Of two, one has closed.
    there = await bars.read_many(list(symbols), timeframe=timeframe, end=end, limit=2, known_at=at)
    return AsKnown(at, backfilled=not any(len(one.closed_by(end)) for one in there.values()))


def series_of(bars: Bars) -> Series:
    """Return closed bars as a series: in the share count of the last one, timed by their close."""
    adjusted = bars.split_adjusted()
    return Series(
        symbol=bars.symbol,
        times=bars.ends().astype("datetime64[s]"),
        open=adjusted.open,
        high=adjusted.high,
        low=adjusted.low,
        close=adjusted.close,
        volume=adjusted.volume,
        total=bars.total_return_close(),
    )


def moment_of(time: np.datetime64) -> datetime:
    """Return a time of a series, UTC."""
    return datetime.fromtimestamp(int(time.astype("datetime64[s]").astype(np.int64)), UTC)


def _panel(found: Sequence[Bars], timeframe: str, as_of: datetime, limit: int | None) -> Panel:
    series = []
    for bars in found:
        closed = bars.closed_by(as_of)
        if limit is not None:
            closed = closed.slice(max(0, len(closed) - limit))
        if len(closed):
            series.append(series_of(closed))
    return Panel(timeframe, tuple(series), _bars_a_year(timeframe, series))


def _bars_a_year(timeframe: str, series: Sequence[Series]) -> float:
    """Return how many bars a year has: counted where hours of trading differ between markets."""
    if timeframe in BARS_A_YEAR:
        return BARS_A_YEAR[timeframe]
    rates = [
        (len(one) - 1) * _YEAR_S / int((one.times[-1] - one.times[0]).astype(np.int64))
        for one in series
        if len(one) > 1
    ]
    always = _YEAR_S / TIMEFRAMES[timeframe].total_seconds()
    return round(float(np.median(rates))) if rates else always
