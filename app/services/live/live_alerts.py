"""Alerts at the bars that the live pipeline brings: implements `live_ports.AlertJudge`."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain

from app.domain.alerts import AlertMoment
from app.services.alerts.alert_ports import AlertStore
from app.services.alerts.alerts import Alerts
from app.services.alerts.withdrawals import Withdrawals
from app.services.live.live_numbers import prices_of
from app.services.live.live_ports import BarStep, Key
from tools.analytics.condition_parts import Standing
from tools.analytics.standing import standing
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.freshness import reliable


class LiveAlerts:
    """Judges every alert on a series at its new bars."""

    def __init__(
        self,
        alerts: Alerts,
        store: AlertStore,
        withdrawals: Withdrawals,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._alerts = alerts
        self._store = store
        self._withdrawals = withdrawals
        self._clock = clock

    async def watches(self, symbol: str, timeframe: str) -> bool:
        """Tell whether any alert would be judged at a bar of this series."""
        return await self._alerts.watches(symbol, timeframe)

    async def series(self) -> Sequence[Key]:
        """Return every series that an alert watches."""
        watched = [[(symbol, of) for symbol in await self._store.watched(of)] for of in TIMEFRAMES]
        return list(chain.from_iterable(watched))

    async def judge(self, closed: Bars, steps: Sequence[BarStep]) -> None:
        """Judge the bars of `steps`, the last ones of `closed`, in their order."""
        valid = await asyncio.to_thread(_standing, closed, len(steps))
        for step, signals in zip(steps, valid, strict=True):
            await self._alerts.evaluate(
                AlertMoment(
                    symbol=closed.symbol,
                    timeframe=closed.timeframe,
                    bar_time=step.bar.timestamp,
                    now=step.now,
                    before=step.before,
                    signals=signals,
                    fired=tuple(one for one in signals if one.fired),
                    reliable=reliable(closed, step.bar.timestamp, self._clock()),
                )
            )

    async def review(self, closed: Bars, since: datetime) -> None:
        """Withdraw what fired at bars from `since` on and would not fire any more."""
        await self._withdrawals.review(closed, since)


def _standing(closed: Bars, count: int) -> list[tuple[Standing, ...]]:
    """Return the signals that were valid at each of the last `count` bars."""
    bars = range(len(closed) - count, len(closed))
    found = standing(prices_of(closed, closed.split_adjusted()), bars)
    return [tuple(found[bar]) for bar in bars]
