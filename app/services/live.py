"""From stored bars to what people see of them, within a moment.

Bars come in through `BarIntake`, which tells this pipeline after the commit. It only notes which
series changed; one task then reads, computes and publishes series after series, oldest change
first. So a burst of bars costs one computation per series, not per bar, and the memory is bounded
by the number of series. Nothing here is the truth: whatever is shown was read from the store.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

import structlog

from app.domain.errors import Invalid, NotFound, Unavailable
from app.protocol.frames import LiveBar, MarketFrame
from app.services.lag import Lag
from app.services.live_ports import Key, Ticker
from tools.analytics.prices import Prices
from tools.analytics.snapshot import at, table
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.intake import BarsStored
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import nearest

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0


class Live:
    """The pipeline, as an async context manager: it works while it is entered."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        ticker: Ticker,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._ticker = ticker
        self._clock = clock
        self._monotonic = monotonic
        self._changed: dict[Key, float | None] = {}
        """Series to look at, oldest change first, and when its first unseen bar arrived."""
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self.lag = Lag()
        """Seconds from a bar's commit to the frame that shows it."""

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="live")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    # --- what may be watched --------------------------------------------------------------------

    async def check(self, symbols: Sequence[str], timeframe: str) -> None:
        """Return if every one of `symbols` can be watched in `timeframe`.

        Raises:
            Invalid: `unknown_timeframe`.
            NotFound: `unknown_symbol`, with the nearest known ones.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(
                f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.", code="unknown_timeframe"
            )
        for symbol in symbols:
            if await self._instruments.find(symbol) is None:
                near = nearest(symbol, await self._instruments.all())
                unknown = UnknownSymbol(symbol[:40], nearest=near)
                raise NotFound(unknown.message, code="unknown_symbol")

    def want(self, symbol: str, timeframe: str) -> None:
        """Publish the newest bar of a series soon; somebody has begun to watch it."""
        self._changed.setdefault((symbol, timeframe), None)
        self._wake.set()

    def bars_stored(self, stored: BarsStored) -> None:
        """Note that a series changed. `BarIntake` calls this after each commit."""
        key = (stored.symbol, stored.timeframe)
        if self._ticker.is_watched(*key):
            if self._changed.get(key) is None:
                self._changed[key] = self._monotonic()
            self._wake.set()

    # --- the work -------------------------------------------------------------------------------

    async def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            if not self._changed:
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._changed))
            arrived_at = self._changed.pop(key)
            try:
                await self._look_at(key)
            except Unavailable as away:
                log.warning("live.waits", reason=away.code, series=len(self._changed) + 1)
                self._changed.setdefault(key, arrived_at)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)
                continue
            except Exception:
                # One series that cannot be computed must not end the others.
                log.exception("live.series_failed", symbol=key[0], timeframe=key[1])
            pause_s = _FIRST_PAUSE_S
            if arrived_at is not None:
                self.lag.add(self._monotonic() - arrived_at)

    async def _look_at(self, key: Key) -> None:
        symbol, timeframe = key
        if not self._ticker.is_watched(symbol, timeframe):
            return
        stored = await self._bars.read(symbol, timeframe=timeframe)
        if not len(stored):
            return
        self._ticker.publish(await asyncio.to_thread(_frame, stored, self._clock()))


def _frame(stored: Bars, now: datetime) -> MarketFrame:
    bars = stored.split_adjusted()
    prices = Prices(
        days=bars.timestamps,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        total=bars.close if stored.adjusted_close is None else stored.adjusted_close,
    )
    return MarketFrame(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        bar=LiveBar(
            bars.time(-1),
            float(bars.open[-1]),
            float(bars.high[-1]),
            float(bars.low[-1]),
            float(bars.close[-1]),
            float(bars.volume[-1]),
        ),
        indicators=at(table(prices, timeframe=bars.timeframe), -1),
        signals=(),
        provisional=len(stored.closed_by(now)) < len(stored),
    )
