"""Moments for alerts: the numbers and signals of closed bars, computed from what is stored."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from app.domain.alerts import AlertMoment
from tools.analytics import snapshot
from tools.analytics.condition_parts import Standing
from tools.analytics.prices import Floats
from tools.analytics.standing import standing
from tools.market.bars import Bars
from tools.market.freshness import reliable
from tools.market.prices import prices_of
from tools.market.store import BarStore

MOST = 100
"""Bars that are caught up with at once; what lies further back is past, not news."""


class StoredMoments:
    """Implements `app.services.alerts.alerts.Moments` on the bar store."""

    def __init__(self, bars: BarStore, *, clock: Callable[[], datetime]) -> None:
        self._bars = bars
        self._clock = clock

    async def newest(
        self,
        symbol: str,
        timeframe: str,
        *,
        after: datetime | None = None,
        signals: bool = True,
        most: int = 1,
    ) -> list[AlertMoment]:
        """Return the newest closed bars that opened after `after`, `most` of them, oldest first."""
        now = self._clock()
        stored = await self._bars.read(symbol, timeframe=timeframe, end=now)
        closed = stored.closed_by(now)
        found = await asyncio.to_thread(_moments, closed, after, signals, min(most, MOST))
        return [
            msgspec.structs.replace(one, reliable=reliable(closed, one.bar_time, now))
            for one in found
        ]


def _moments(bars: Bars, after: datetime | None, signals: bool, most: int) -> list[AlertMoment]:
    count = len(bars)
    new = [
        bar for bar in range(max(0, count - most), count) if after is None or bars.time(bar) > after
    ]
    return moments_at(bars, new, signals=signals)


def moments_at(bars: Bars, wanted: Sequence[int], *, signals: bool = True) -> list[AlertMoment]:
    """Return what alerts see at some of the closed bars, in their order."""
    if not wanted:
        return []
    prices = prices_of(bars)
    table = snapshot.table(prices, timeframe=bars.timeframe)
    at_bar = standing(prices, wanted) if signals else None
    return [_moment(bars, table, at_bar, bar) for bar in wanted]


def _moment(
    bars: Bars, table: dict[str, Floats], valid: dict[int, list[Standing]] | None, bar: int
) -> AlertMoment:
    standing_now = None if valid is None else tuple(valid[bar])
    return AlertMoment(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        bar_time=bars.time(bar),
        now=snapshot.at(table, bar),
        before=snapshot.at(table, bar - 1) if bar else None,
        signals=standing_now,
        fired=tuple(one for one in standing_now or () if one.fired),
    )
