"""Where the past of signals comes from: a protocol, and the sibling that computes it from bars."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np

from tools.analytics import cases, indicators
from tools.analytics.cases import Cases
from tools.analytics.event_study import Baseline, baseline
from tools.analytics.firings import KINDS
from tools.market.bars import Bars
from tools.market.prices import prices_of
from tools.market.replays import is_replay
from tools.market.signals import market_of
from tools.market.store import BarStore, InstrumentStore

STUDIED = 10_000
"""Bars a baseline is taken from, the newest."""
_AT_ONCE = 50


class CaseBook(Protocol):
    """Knows how earlier signals turned out."""

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        before: datetime,
        kinds: Sequence[str] = KINDS,
        paths: bool = False,
    ) -> Mapping[str, Cases]:
        """Return the cases of a market by kind, settled at or before `before`.

        With `paths` also what prices did after each.
        """
        ...

    async def baselines(
        self, symbols: Sequence[str], timeframe: str, *, before: datetime
    ) -> Mapping[str, Baseline]:
        """Return what prices of these symbols do after any bar; those without bars are left out."""
        ...


class ComputedCases:
    """Studies the bars of every instrument when asked, and remembers what did not change."""

    def __init__(self, instruments: InstrumentStore, bars: BarStore) -> None:
        self._instruments = instruments
        self._bars = bars
        self._known: dict[tuple[str, str], tuple[bytes, dict[str, Cases]]] = {}

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        before: datetime,
        kinds: Sequence[str] = KINDS,
        paths: bool = False,
    ) -> Mapping[str, Cases]:
        """Return the cases of a market by kind, settled at or before `before`.

        With `paths` also what prices did after each.
        """
        members = [
            one
            for one in await self._instruments.all()
            # A replay's past is that of the instrument it repeats, counted once.
            if market_of(one) == market and not is_replay(one.symbol)
        ]
        series = [await self._bars.read(one.symbol, timeframe=timeframe) for one in members]
        collected = await asyncio.to_thread(lambda: [self._of(bars) for bars in series])
        moment = int(before.timestamp())
        return {
            like: cases.pool(found[like].before(moment) for found in collected if like in found)
            for like in kinds
        }

    async def baselines(
        self, symbols: Sequence[str], timeframe: str, *, before: datetime
    ) -> Mapping[str, Baseline]:
        """Return what prices of these symbols do after any bar; those without bars are left out."""
        return await baselines_of(self._bars, symbols, timeframe, before=before)

    def _of(self, bars: Bars) -> dict[str, Cases]:
        if not len(bars):
            return {}
        key, digest = (bars.symbol, bars.timeframe), fingerprint(bars)
        known = self._known.get(key)
        if known is None or known[0] != digest:
            found = cases.collect(
                cases.study(prices_of(bars)),
                bars.symbol,
                closed=bars.ends().astype(np.int64),
            )
            known = self._known[key] = (digest, found)
        return known[1]


async def baselines_of(
    store: BarStore, symbols: Sequence[str], timeframe: str, *, before: datetime
) -> dict[str, Baseline]:
    """Return the baseline of each symbol that has bars, over its newest `STUDIED` bars."""
    found: dict[str, Baseline] = {}
    for start in range(0, len(symbols), _AT_ONCE):
        part = await store.read_many(
            symbols[start : start + _AT_ONCE], timeframe=timeframe, end=before, limit=STUDIED
        )
        closed = {symbol: bars.closed_by(before) for symbol, bars in part.items()}
        found |= await asyncio.to_thread(_baselines, closed)
    return found


def _baselines(read: Mapping[str, Bars]) -> dict[str, Baseline]:
    return {symbol: _baseline(bars) for symbol, bars in read.items() if len(bars)}


def _baseline(bars: Bars) -> Baseline:
    prices = prices_of(bars)
    return baseline(prices, indicators.compute(prices).atr)


def fingerprint(bars: Bars) -> bytes:
    """Return what changes when any number of the bars does."""
    total = hashlib.blake2b(digest_size=16)
    adjusted = bars.split_adjusted().close  # a split that is told later changes it
    columns = (bars.epochs(), bars.open, bars.high, bars.low, bars.close, bars.volume, adjusted)
    for column in columns:
        total.update(column.tobytes())
    if bars.adjusted_close is not None:
        total.update(bars.adjusted_close.tobytes())
    return total.digest()
