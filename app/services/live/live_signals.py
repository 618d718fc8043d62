"""Signals after their bars: a slower lane beside the pictures, so that no chart waits for it.

What is told gathers by series; one task refreshes series after series, those that somebody watches
first. Nothing is lost by gathering: a refresh reads every bar that was not read before.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from app.domain.errors import Conflict, Unavailable
from app.services.live.lag import Lag
from app.services.live.live_ports import Key, SignalKeeper
from tools.errors import UnknownSymbol
from tools.market.signals import MarketSignal

log = structlog.get_logger(__name__)

_PAUSE_S = 1.0
_YIELD_S = 1.0


class LiveSignals:
    """Keeps the signals of series up to date while `work` runs."""

    def __init__(
        self,
        keeper: SignalKeeper,
        *,
        is_watched: Callable[[str, str], bool],
        show: Callable[[Key, Sequence[MarketSignal]], None],
        quiet: asyncio.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the lane; `show` is given what fired anew. It waits for `quiet`, for a while."""
        self._keeper = keeper
        self._is_watched = is_watched
        self._show = show
        self._quiet = quiet
        self._monotonic = monotonic
        self._waiting: dict[Key, float] = {}
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.lag = Lag()
        """Seconds from a series' bars being shown to its signals being stored."""

    def __len__(self) -> int:
        """Count the series that wait."""
        return len(self._waiting)

    def note(self, key: Key) -> None:
        """A series has bars whose signals are not known yet. Never waits."""
        self._waiting.setdefault(key, self._monotonic())
        self.idle.clear()
        self._wake.set()

    async def _let_others_go_first(self) -> None:
        """Wait while pictures are drawn, for a moment: signals are late rather than never there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_YIELD_S):
                await self._quiet.wait()

    async def work(self) -> None:
        """Refresh what waits until cancelled."""
        while True:
            if not self._waiting:
                self.idle.set()
                self._wake.clear()
                await self._wake.wait()
            await self._let_others_go_first()
            key = next((one for one in self._waiting if self._is_watched(*one)), None)
            key = key or next(iter(self._waiting))
            since = self._waiting.pop(key)
            try:
                fired = await self._keeper.refresh(*key)
            except (Unavailable, Conflict) as away:
                log.warning("live.signals_wait", symbol=key[0], reason=away.code)
                self._waiting.setdefault(key, since)
                await asyncio.sleep(_PAUSE_S)
            except UnknownSymbol:
                continue  # removed since
            except Exception:
                # One series that cannot be computed must not end the others.
                log.exception("live.signals_failed", symbol=key[0], timeframe=key[1])
            else:
                self.lag.add(self._monotonic() - since)
                if fired:
                    self._show(key, fired)
