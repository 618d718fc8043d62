"""Read a series, or make it of the longest shorter one that is stored."""

import asyncio
import math
from dataclasses import replace
from datetime import datetime

from tools.market.bars import TIMEFRAMES, Bars, moment
from tools.market.ports import BarStore
from tools.market.resample import finer_than, resample

MOST_RESAMPLED = 1_000_000
"""Of more shorter bars only the newest are read to make longer ones of."""


async def read_or_make(
    bars: BarStore,
    symbol: str,
    timeframe: str,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    known_at: datetime | None = None,
) -> tuple[Bars, str | None]:
    """Return the newest `limit` bars that opened from `start` to `end`, and what they are made of.

    None: they are stored. Bars that are made have closed by `now`, and are split-adjusted.

    Raises:
        UnknownSymbol: no such instrument.
    """
    stored = await bars.read(
        symbol, timeframe=timeframe, start=start, end=end, limit=limit, known_at=known_at
    )
    if len(stored):
        return stored, None
    anything = await bars.read(symbol, timeframe=timeframe, limit=1, known_at=known_at)
    if len(anything):
        return stored, None  # there are bars, only not in this span
    span = TIMEFRAMES[timeframe]
    for finer in finer_than(timeframe):
        most = MOST_RESAMPLED
        if limit is not None:
            most = min(most, (limit + 1) * math.ceil(span / TIMEFRAMES[finer]))
        shorter = await bars.read(
            symbol,
            timeframe=finer,
            # One more bar than asked for, so that none is made of a part.
            start=None if start is None else start - span,
            end=None if end is None else end + span,
            limit=most,
            known_at=known_at,
        )
        if not len(shorter):
            continue
        made = await asyncio.to_thread(resample, shorter.closed_by(now), timeframe)
        if len(shorter) == most:
            made = made.slice(1)
        made = made.closed_by(now)
        first = 0 if start is None else int(made.timestamps.searchsorted(moment(start)))
        last = len(made) if end is None else int(made.timestamps.searchsorted(moment(end), "right"))
        if limit is not None:
            first = max(first, last - limit)
        return replace(made.slice(first, max(first, last)), source=shorter.source), finer
    return stored, None
