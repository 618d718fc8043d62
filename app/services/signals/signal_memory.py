"""Signals kept in memory: the sibling of `app.storage.signals`, for desks without a database."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import numpy as np

from app.domain.signals import (
    KnownSignal,
    NewSignal,
    SignalChange,
    SignalFilter,
    SignalPlan,
    SignalProgress,
)
from app.domain.views import Position
from tools.analytics.cases import Cases, nothing, pool
from tools.market.bars import TIMEFRAMES
from tools.market.signals import Grade, MarketSignal
from tools.market.store import BarStore, InstrumentStore

Key = tuple[str, str]
_CORRECTED = "the bars it stood on were corrected"


class InProcessSignals:
    """Implements `app.services.signals.signal_store.SignalStore`."""

    def __init__(self, instruments: InstrumentStore, bars: BarStore) -> None:
        self._instruments = instruments
        self._bars = bars
        self._progress: dict[Key, SignalProgress] = {}
        self._kept: dict[UUID, NewSignal] = {}
        self._withdrawn: set[UUID] = set()

    async def progress(self, symbol: str, timeframe: str) -> SignalProgress | None:
        return self._progress.get((symbol, timeframe))

    async def pending(self, model_id: UUID, *, now: datetime) -> list[Key]:
        found = []
        for timeframe in TIMEFRAMES:
            for instrument in await self._instruments.all():
                key = (instrument.symbol, timeframe)
                bars = (await self._bars.read(key[0], timeframe=timeframe)).closed_by(now)
                read = self._progress.get(key)
                behind = read is None or read.model_id != model_id
                if len(bars) and (behind or (read is not None and read.through < bars.time(-1))):
                    found.append(key)
        return found

    async def known(
        self, symbol: str, timeframe: str, *, model_id: UUID, since: datetime
    ) -> list[KnownSignal]:
        return [
            KnownSignal(
                id=one.id,
                state=one.state,
                ended_at=one.ended_at,
                outcome=None if one.outcome is None else one.outcome.result,
                outcome_value=None if one.outcome is None else one.outcome.value,
            )
            for one in (new.signal for new in self._valid())
            if (one.symbol, one.timeframe, one.model_id) == (symbol, timeframe, model_id)
            and one.valid_from >= since
        ]

    async def save(self, plan: SignalPlan) -> bool:
        key = (plan.symbol, plan.timeframe)
        before = self._progress.get(key)
        if before != plan.before:
            return False
        for new in plan.new:
            if new.signal.id not in self._kept or new.signal.id in self._withdrawn:
                self._kept[new.signal.id] = new
                self._withdrawn.discard(new.signal.id)
        for change in plan.changes:
            self._kept[change.id] = _changed(self._kept[change.id], change)
        for signal_id in plan.withdrawn:
            self._withdrawn.add(signal_id)
            self._kept[signal_id] = _taken_back(self._kept[signal_id])
        version = 1 if before is None else before.version + 1
        self._progress[key] = msgspec.structs.replace(plan.after, version=version)
        return True

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        model_id: UUID,
        kinds: Sequence[str],
        before: datetime,
        paths: bool,
    ) -> dict[str, Cases]:
        chosen: dict[str, list[NewSignal]] = {kind: [] for kind in kinds}
        for new in self._valid():
            one, grade = new.signal, new.signal.outcome
            mine = (new.market, one.timeframe, one.model_id) == (market, timeframe, model_id)
            if not mine or one.like not in chosen or not new.counted or new.own_base_rate is None:
                continue
            if grade is None or grade.result == "none" or grade.resolved_at is None:
                continue
            if grade.resolved_at <= before:
                chosen[one.like].append(new)
        return {kind: _cases(found, paths=paths) for kind, found in chosen.items()}

    async def page(
        self, asked: SignalFilter, *, after: Position | None, limit: int
    ) -> list[MarketSignal]:
        shown = self._kept.values() if asked.state == "superseded" else self._valid()
        found = [
            one
            for one in (new.signal for new in shown)
            if asked.symbol in (None, one.symbol)
            and asked.signal_type in (None, one.signal_type)
            and asked.timeframe in (None, one.timeframe)
            and asked.state in (None, one.state)
            and (after is None or (one.valid_from, one.id) < after)
        ]
        return sorted(found, key=lambda one: (one.valid_from, one.id), reverse=True)[:limit]

    async def find(self, signal_id: UUID) -> MarketSignal | None:
        new = self._kept.get(signal_id)
        return None if new is None else new.signal

    async def active(self, symbol: str, timeframe: str) -> list[MarketSignal]:
        asked = SignalFilter(symbol=symbol, timeframe=timeframe, state="active")
        return await self.page(asked, after=None, limit=len(self._kept))

    def _valid(self) -> list[NewSignal]:
        return [new for key, new in self._kept.items() if key not in self._withdrawn]


def _changed(new: NewSignal, change: SignalChange) -> NewSignal:
    signal = msgspec.structs.replace(
        new.signal,
        state=change.state,
        ended_at=change.ended_at,
        end_reason=change.end_reason,
        outcome=change.outcome,
    )
    return msgspec.structs.replace(new, signal=signal, path=change.path)


def _taken_back(new: NewSignal) -> NewSignal:
    one = new.signal
    signal = msgspec.structs.replace(
        one,
        state="superseded",
        ended_at=one.ended_at or one.valid_from,
        end_reason=_CORRECTED,
        outcome=Grade(result="none", value=None, unit="", resolved_at=None),
    )
    return msgspec.structs.replace(new, signal=signal)


def _cases(found: Sequence[NewSignal], *, paths: bool) -> Cases:
    if not found:
        return nothing()
    grades = [one for one in (new.signal.outcome for new in found) if one is not None]
    rows = [np.frombuffer(new.path, dtype="<f4").astype(np.float64) for new in found]
    return pool(
        [
            Cases(
                symbols=np.array([new.signal.symbol for new in found]),
                fired=np.array([int(new.signal.valid_from.timestamp()) for new in found]),
                resolved=np.array(
                    [int(one.resolved_at.timestamp()) for one in grades if one.resolved_at]
                ),
                hits=np.array([1.0 if one.result == "hit" else 0.0 for one in grades]),
                base_rates=np.array([new.own_base_rate for new in found], dtype=np.float64),
                values=np.array([one.value for one in grades], dtype=np.float64),
                paths=np.array(rows) if paths else np.empty((len(found), 0)),
            )
        ]
    )
