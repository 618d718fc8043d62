"""From stored bars to alerts: judge each new closed bar of a watched series, in order.

`BarIntake` tells after each commit; this notes it and one task does the work, so nobody who stores
bars waits for alerts.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Self

import structlog

from app.domain.errors import Unavailable
from app.services.alert_ports import Moments
from app.services.alerts import Alerts
from app.services.moments import MOST
from tools.market.intake import BarsStored

log = structlog.get_logger(__name__)

_PAUSE_S = 2.0
_INSTANT = timedelta(microseconds=1)


class AlertFeed:
    """Judges what was stored, as an async context manager: it works while it is entered."""

    def __init__(self, alerts: Alerts, moments: Moments) -> None:
        self._alerts = alerts
        self._moments = moments
        self._changed: dict[tuple[str, str], datetime] = {}
        """Series to look at, and when their oldest new bar opened."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="alert feed")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    def bars_stored(self, stored: BarsStored) -> None:
        """Note that a series has new bars; see `BarIntake.listeners`."""
        key = (stored.symbol, stored.timeframe)
        self._changed[key] = min(stored.first, self._changed.get(key, stored.first))
        self._idle.clear()
        self._wake.set()

    async def idle(self) -> None:
        """Return once everything that was told is judged."""
        await self._idle.wait()

    async def _work(self) -> None:
        while True:
            if not self._changed:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._changed))
            first = self._changed.pop(key)
            try:
                await self._judge(*key, first)
            except Unavailable as away:
                log.warning("alerts.wait", reason=away.code)
                self._changed[key] = min(first, self._changed.get(key, first))
                await asyncio.sleep(_PAUSE_S)
            except Exception:
                # One series that cannot be computed must not end the others.
                log.exception("alerts.series_failed", symbol=key[0], timeframe=key[1])

    async def _judge(self, symbol: str, timeframe: str, first: datetime) -> None:
        if not await self._alerts.watches(symbol, timeframe):
            return
        moments = await self._moments.newest(symbol, timeframe, after=first - _INSTANT, most=MOST)
        for moment in moments:
            await self._alerts.evaluate(moment)
