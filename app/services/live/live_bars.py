"""The closed bars of a series that is followed: those that are stored, or made of shorter ones.

A bar made of shorter ones has closed when they reach its end or a later bar has begun, and not by
our clock, so that a feed that is late and a replay of the past close bars as they did then.
"""

import asyncio
from datetime import datetime

from app.services.live.live_ports import Key
from tools.market.bars import TIMEFRAMES, Bars, moment
from tools.market.resample import finer_than, resample
from tools.market.store import BarStore

MOST = 50_000
"""Shorter bars that longer ones are made of, at most."""


class LiveBars:
    """Reads series, and remembers what those that are not stored are made of."""

    def __init__(self, bars: BarStore) -> None:
        self._bars = bars
        self._made_of: dict[Key, str] = {}

    def longer(self, symbol: str, timeframe: str) -> list[Key]:
        """Return the series that are made of this one."""
        return [key for key, of in self._made_of.items() if key[0] == symbol and of == timeframe]

    async def closed(self, key: Key, *, now: datetime, start: datetime | None = None) -> Bars:
        """Return the closed bars of a series that opened from `start` on.

        Raises:
            UnknownSymbol: no such instrument.
        """
        symbol, timeframe = key
        stored = await self._bars.read(symbol, timeframe=timeframe, start=start)
        if len(stored):
            self._made_of.pop(key, None)
            return stored.closed_by(now)
        if start is None:
            self._made_of.pop(key, None)
        for finer in (self._made_of[key],) if key in self._made_of else finer_than(timeframe):
            shorter = await self._bars.read(symbol, timeframe=finer, limit=MOST)
            if len(shorter):
                self._made_of[key] = finer
                made = await asyncio.to_thread(_made, shorter.closed_by(now), timeframe)
                return made if start is None else _from(made, start)
        return stored


def _made(shorter: Bars, timeframe: str) -> Bars:
    made = resample(shorter, timeframe)
    if not len(made):
        return made
    reached = shorter.time(-1) + TIMEFRAMES[shorter.timeframe]
    return made if reached >= made.time(-1) + TIMEFRAMES[timeframe] else made.slice(0, -1)


def _from(bars: Bars, start: datetime) -> Bars:
    return bars.slice(int(bars.timestamps.searchsorted(moment(start), side="left")))
