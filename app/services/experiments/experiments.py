"""A new version proves itself beside the champion before it takes its place.

Both answer the same cases, so that their losses are compared pair by pair. The comparison may be
looked at every day (`inference/monitoring/evidence.py`): a challenger that is worse is taken out by
itself, one that is better waits for an admin to promote it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import Conflict, Invalid, NotFound, Unavailable
from app.domain.experiments import (
    Counts,
    Experiment,
    ExperimentMode,
    ExperimentStatus,
    NewExperiment,
    Pair,
    Reading,
)
from app.domain.ids import UserId, new_id
from app.domain.text import clean_text
from app.domain.views import Position
from app.services.experiments.experiment_readings import horizon_s, read
from app.services.experiments.routes import Route
from app.services.paging import Page, checked_limit, cut, decode_cursor
from inference.cards import ModelCard
from inference.monitoring.sample_ratio import assigned

log = structlog.get_logger(__name__)

ALPHA = 0.05
_LOOK_S = 60.0
_FRESH = timedelta(seconds=5)
_LONGEST_REASON = 1_000


class ExperimentStore(Protocol):
    """Where experiments are."""

    async def insert(self, new: NewExperiment) -> bool: ...

    async def end(
        self, experiment_id: UUID, status: str, decision: dict[str, Any], *, now: datetime
    ) -> bool: ...

    async def find(self, experiment_id: UUID) -> Experiment | None: ...

    async def running(self) -> list[Experiment]: ...

    async def page(
        self, *, model: str | None, status: str | None, before: Position | None, limit: int
    ) -> list[Experiment]: ...

    async def newest(self, *, since: datetime) -> list[Experiment]: ...

    async def pairs(self, experiment_id: UUID) -> list[Pair]: ...

    async def counts(self, experiment_id: UUID) -> Counts: ...


class Versions(Protocol):
    """Models, as far as experiments move them; `app.services.models.models.Models`."""

    async def find(self, ref: str | UUID) -> ModelCard: ...

    async def get(self, model_id: UUID) -> ModelCard: ...

    async def set_alias(self, model_id: UUID, alias: str, *, by: UserId | None) -> ModelCard: ...

    async def transition(
        self,
        model_id: UUID,
        status: str,
        *,
        by: UserId | None,
        reason: str | None = None,
        alias: str | None = None,
    ) -> ModelCard: ...


class Experiments:
    """The use cases."""

    def __init__(
        self, store: ExperimentStore, models: Versions, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._models = models
        self._clock = clock
        self._running: dict[UUID, Experiment] = {}
        """By champion."""
        self._read_at: datetime | None = None

    # --- on the way of every prediction ---------------------------------------------------------

    async def route(self, card: ModelCard, *, unit: str, pinned: bool) -> Route:
        """Return who answers a request to `card`.

        Args:
            unit: what is assigned, the same request always to the same version.
            pinned: that very version was asked for; then it answers, and the other may repeat.
        """
        experiment = (await self._under_way()).get(card.id)
        if experiment is None:
            return Route(answers=card)
        drawn = assigned(experiment.id, unit, experiment.share)
        if experiment.mode == "shadow" and not drawn:
            return Route(answers=card, experiment_id=experiment.id, variant="champion")
        challenger = await self._models.get(experiment.challenger_id)
        if challenger.status != "deployed" or challenger.failure is not None:
            return Route(answers=card)
        if experiment.mode == "ab" and drawn and not pinned:
            return Route(
                answers=challenger,
                repeats=card,
                experiment_id=experiment.id,
                variant="challenger",
            )
        if pinned and experiment.mode == "ab":
            return Route(answers=card)  # who chose was not drawn: not a case of this experiment
        return Route(
            answers=card,
            repeats=challenger,
            experiment_id=experiment.id,
            variant="challenger" if experiment.mode == "shadow" else "champion",
        )

    async def _under_way(self) -> dict[UUID, Experiment]:
        now = self._clock()
        if self._read_at is None or not timedelta(0) <= now - self._read_at < _FRESH:
            found = await self._store.running()
            self._running = {one.champion_id: one for one in found}
            self._read_at = now
        return self._running

    # --- what an admin does ---------------------------------------------------------------------

    async def start(
        self,
        model: str,
        *,
        mode: ExperimentMode,
        share: float,
        alpha: float = ALPHA,
        by: UserId | None,
    ) -> Experiment:
        """Let a model's challenger prove itself beside its champion.

        Raises:
            NotFound: there is no such model, or it lacks one of the two.
            Invalid: `share` or `alpha` cannot be.
            Conflict: one is running already (`experiment_running`), or the two do not forecast the
                same (`different_tasks`).
        """
        if not 0.0 < share <= 1.0:
            raise Invalid("`share` must be above 0 and at most 1.")
        if mode == "ab" and share > 0.5:
            raise Invalid("`share` of an A/B experiment must be at most 0.5: it is not proven yet.")
        if not 0.0001 <= alpha <= 0.2:
            raise Invalid("`alpha` must be from 0.0001 to 0.2.")
        champion = await self._models.find(f"{model}@champion")
        challenger = await self._models.find(f"{model}@challenger")
        for name in ("task", "timeframe", "horizon_bars"):
            if getattr(champion, name) != getattr(challenger, name):
                raise Conflict(
                    f"{model}@{champion.version} and @{challenger.version} differ in {name}: they "
                    "do not answer the same question.",
                    code="different_tasks",
                )
        new = NewExperiment(
            id=new_id(),
            model=champion.name,
            mode=mode,
            share=share,
            alpha=alpha,
            champion_id=champion.id,
            challenger_id=challenger.id,
            created_by=by,
            started_at=self._clock(),
        )
        if not await self._store.insert(new):
            raise Conflict(
                f"{champion.name} has an experiment already; stop it first.",
                code="experiment_running",
            )
        self._read_at = None
        log.info("experiment.started", model=champion.name, mode=mode, share=share)
        return await self.get(new.id)

    async def get(self, experiment_id: UUID) -> Experiment:
        """Return one experiment.

        Raises:
            NotFound: there is none.
        """
        found = await self._store.find(experiment_id)
        if found is None:
            raise NotFound("There is no such experiment.")
        return found

    async def page(
        self,
        *,
        model: str | None,
        status: ExperimentStatus | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Experiment]:
        """Return experiments, newest first."""
        found = await self._store.page(
            model=model,
            status=status,
            before=decode_cursor(cursor),
            limit=checked_limit(limit) + 1,
        )
        return cut(found, limit, lambda one: (one.started_at, one.id))

    async def newest(self, *, since: datetime) -> list[Experiment]:
        """Return those that run, or ended since a moment."""
        return await self._store.newest(since=since)

    async def reading(self, experiment_id: UUID) -> Reading:
        """Return what an experiment says now; it may be asked as often as one likes."""
        experiment = await self.get(experiment_id)
        champion = await self._models.get(experiment.champion_id)
        pairs = await self._store.pairs(experiment.id)
        counts = await self._store.counts(experiment.id)
        return await asyncio.to_thread(
            read, experiment, pairs, counts, horizon_s=horizon_s(champion), now=self._clock()
        )

    async def stop(self, experiment_id: UUID, *, by: UserId | None, reason: str) -> Experiment:
        """End an experiment without a winner; both versions stay as they are.

        Raises:
            Conflict: it has ended (`experiment_ended`).
        """
        return await self._end(experiment_id, "stopped", by=by, reason=_checked(reason))

    async def promote(
        self, experiment_id: UUID, *, by: UserId | None, reason: str | None
    ) -> Experiment:
        """Make the challenger champion; the champion is deprecated.

        Raises:
            Conflict: the evidence does not say that it is better and no reason is given
                (`not_proven`), or the experiment has ended.
        """
        experiment, now_says = await self.get(experiment_id), await self.reading(experiment_id)
        if experiment.status != "running":
            raise _ended(experiment)
        if now_says.verdict != "better" and not reason:
            raise Conflict(
                f"{now_says.words} To promote it all the same, give a `reason`; it is recorded.",
                code="not_proven",
            )
        await self._models.set_alias(experiment.challenger_id, "champion", by=by)
        return await self._end(
            experiment_id, "promoted", by=by, reason=_checked(reason or now_says.words)
        )

    # --- by itself ------------------------------------------------------------------------------

    async def keep_up(self) -> None:
        """Look at every running experiment now and then, until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as away:
                log.warning("experiments.wait", reason=away.code)
            except Exception:
                log.exception("experiments.failed")
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> list[Experiment]:
        """Take out every challenger that has been caught being worse; return those experiments."""
        ended = []
        for experiment in await self._store.running():
            now_says = await self.reading(experiment.id)
            if now_says.verdict != "worse":
                continue
            ended.append(await self._end(experiment.id, "rejected", by=None, reason=now_says.words))
            challenger = await self._models.get(experiment.challenger_id)
            if challenger.status == "deployed":
                await self._models.transition(
                    challenger.id, "deprecated", by=None, reason=now_says.words
                )
            log.warning(
                "experiment.rejected",
                model=experiment.model,
                version=experiment.challenger_version,
                words=now_says.words,
            )
        return ended

    async def _end(
        self, experiment_id: UUID, status: ExperimentStatus, *, by: UserId | None, reason: str
    ) -> Experiment:
        now_says = await self.reading(experiment_id)
        decision = {
            "by": None if by is None else str(by),
            "reason": reason,
            "reading": msgspec.to_builtins(now_says),
        }
        if not await self._store.end(experiment_id, status, decision, now=self._clock()):
            raise _ended(await self.get(experiment_id))
        self._read_at = None
        return await self.get(experiment_id)


def _ended(experiment: Experiment) -> Conflict:
    return Conflict(f"This experiment is {experiment.status}.", code="experiment_ended")


def _checked(reason: str) -> str:
    cleaned = clean_text(reason).strip()
    if not 1 <= len(cleaned) <= _LONGEST_REASON:
        raise Invalid(f"`reason` must have 1 to {_LONGEST_REASON:,} characters.")
    return cleaned
