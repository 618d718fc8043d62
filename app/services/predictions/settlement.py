"""How forecasts turned out: filled in when their horizon is over, once, and again when bars change.

Heard bars settle what they decide within seconds; a sweep finds what nobody told of. Doing it again
changes nothing, in this process or another. An outcome that a correction changes is kept beside
the new one.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import structlog

from app.domain.errors import Unavailable
from app.domain.predictions import Outcome, Prediction, Settled
from app.services.predictions.market_tasks import TASKS, grade
from app.services.predictions.panels import moment_of, series_of
from app.services.predictions.prediction_ports import PredictionStore
from inference.panel import Series
from tools.errors import UnknownSymbol
from tools.market.intake import BarsStored
from tools.market.store import BarStore, InstrumentStore

log = structlog.get_logger(__name__)

LOT = 500
_PAUSE_S = 1.0
_SWEEP_S = 300.0
_EVER = datetime(1, 1, 2, tzinfo=UTC)
_STUCK_S = 900.0
"""A prediction that is computed for longer than this was lost with its process."""

Key = tuple[str, str]
"""A symbol and a timeframe."""


class Settlement:
    """The use cases of outcomes."""

    def __init__(
        self,
        store: PredictionStore,
        instruments: InstrumentStore,
        bars: BarStore,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._instruments = instruments
        self._bars = bars
        self._clock = clock
        self._unread: dict[Key, datetime | None] = {}
        self._heard = asyncio.Event()

    def bars_stored(self, stored: BarsStored) -> None:
        """Hear of new bars; what they decide is settled soon, by `keep_up`. Never waits."""
        key = (stored.symbol, stored.timeframe)
        known = self._unread.get(key)
        corrected = stored.first if stored.corrected else None
        self._unread[key] = min(filter(None, (known, corrected)), default=None)
        self._heard.set()

    async def keep_up(self) -> None:
        """Settle what is due, then whatever comes, told of or not, until cancelled."""
        while True:
            try:
                await self.sweep()
                async with asyncio.timeout(_SWEEP_S):
                    while True:
                        await self._heard.wait()
                        await asyncio.sleep(_PAUSE_S)  # bars come in lots
                        self._heard.clear()
                        await self.settle_heard()
            except TimeoutError:
                continue
            except Unavailable as away:
                log.warning("settlement.waits", reason=away.code)
                await asyncio.sleep(_PAUSE_S)

    async def settle_heard(self) -> int:
        """Settle what the heard bars decide; return how many outcomes were written."""
        unread, self._unread = self._unread, {}
        written = 0
        for (symbol, timeframe), corrected in unread.items():
            written += await self._settle_series(symbol, timeframe, corrected=corrected)
        return written

    async def sweep(self) -> int:
        """Settle every forecast whose horizon is over; return how many outcomes were written."""
        now, after, written = self._clock(), None, 0
        lost = await self._store.give_up(before=_seconds_before(now, _STUCK_S))
        if lost:
            log.warning("predictions.lost", count=lost)
        while due := await self._store.due(now=now, limit=LOT, after=after):
            after = due[-1].id
            by_series: dict[Key, list[Prediction]] = {}
            for one in due:
                by_series.setdefault((one.symbol or "", one.timeframe or "1d"), []).append(one)
            for key, forecasts in by_series.items():
                written += await self._settle(*key, forecasts)
        return written

    async def _settle_series(
        self, symbol: str, timeframe: str, *, corrected: datetime | None
    ) -> int:
        forecasts = await self._store.of_series(symbol, timeframe, since=_EVER, settled=False)
        if corrected is not None:
            # Whatever was decided by a bar from there on may have come out otherwise.
            forecasts += await self._store.of_series(
                symbol, timeframe, since=corrected, settled=True
            )
        return await self._settle(symbol, timeframe, forecasts)

    async def _settle(self, symbol: str, timeframe: str, forecasts: Sequence[Prediction]) -> int:
        """Write what is known of the outcomes of forecasts of one history."""
        wanted = [one for one in forecasts if one.task in TASKS and one.horizon_bars]
        if not wanted:
            return 0
        instrument = await self._instruments.find(symbol)
        if instrument is None:
            return 0
        now = self._clock()
        try:
            bars = await self._bars.read(instrument.symbol, timeframe=timeframe, end=now)
        except UnknownSymbol:
            return 0  # removed since
        series = await asyncio.to_thread(series_of, bars.closed_by(now))
        ended = instrument.delisted_on
        written = 0
        for one in wanted:
            try:
                settled = outcome_of(one, series, now=now)
            except Exception:
                # One forecast that cannot be graded must not keep the others from it.
                log.exception("settlement.failed", prediction_id=str(one.id))
                continue
            if settled is None and ended is not None and _never(one, ended, now):
                settled = _unknowable(one, now)
            if settled is not None:
                written += await self._store.settle(one.id, settled)
        return written

    async def settle_one(self, prediction: Prediction) -> bool:
        """Settle one forecast if its bars are there; False if nothing was written."""
        return bool(
            await self._settle(prediction.symbol or "", prediction.timeframe or "1d", [prediction])
        )


def outcome_of(prediction: Prediction, series: Series, *, now: datetime) -> Settled | None:
    """Return how a forecast turned out on closed bars; None while the last of them is missing.

    Pure: reads nothing of the series after the last bar of the horizon.
    """
    task, horizon, as_of = prediction.task, prediction.horizon_bars, prediction.as_of
    if task not in TASKS or horizon is None or as_of is None or prediction.output is None:
        return None
    moment = np.datetime64(int(as_of.timestamp()), "s")
    at = int(np.searchsorted(series.times, moment, side="right")) - 1
    last = at + horizon
    if at < 1 or last >= len(series):
        return None
    seen = series.until(series.times[last])
    happened = TASKS[task].happened(seen, at, horizon)
    if np.isnan(happened):
        return None
    graded = grade(TASKS[task], prediction, happened)
    return Settled(
        outcome=Outcome(
            value=graded.value,
            first_bar=moment_of(series.times[at + 1]),
            last_bar=moment_of(series.times[last]),
            unit=prediction.output.unit,
            words=graded.words,
        ),
        grade="none" if graded.hit is None else "hit" if graded.hit else "miss",
        loss=graded.loss,
        baseline_loss=graded.baseline_loss,
        pit=graded.pit,
        resolved_at=now,
    )


def _never(prediction: Prediction, ended: object, now: datetime) -> bool:
    """Tell whether an instrument went away before the horizon was over."""
    due = prediction.resolves_at
    return due is not None and due <= now and str(ended) < due.date().isoformat()


def _unknowable(prediction: Prediction, now: datetime) -> Settled:
    as_of = prediction.as_of or now
    words = "It was delisted before the horizon was over."
    return Settled(
        outcome=Outcome(value=None, first_bar=as_of, last_bar=as_of, words=words),
        grade="none",
        loss=None,
        baseline_loss=None,
        pit=None,
        resolved_at=now,
    )


def _seconds_before(now: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(now.timestamp() - seconds, UTC)
