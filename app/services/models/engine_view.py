"""What the engine does, for whoever runs the desk: queue, cache, restarts, and each model's speed.

Counted in this process since it began; what became of each request over days is in the reports.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from app.domain.views import View
from inference.cards import ModelCard
from inference.engine.requests import EngineStats, ModelView
from inference.lifecycle import label


class Speed(View, frozen=True):
    """How one model has answered."""

    model: str
    """name@version; of several with the same files, the one that serves."""
    model_id: UUID
    where: Literal["here", "elsewhere"]
    answered: int
    failed: int
    batches: int
    rows: int
    mean_batch_rows: float
    mean_batch_calls: float
    p50_ms: float | None
    p99_ms: float | None
    """Of the newest 1,024 answers, from the call to its answer."""
    rows_per_s: float
    """Over the last minute."""
    left_alone_for_s: float | None
    """How long its breaker refuses calls from now; null: it does not."""


class EngineNow(View, frozen=True):
    """What an engine does now, and did since this process began."""

    since: datetime
    waiting_calls: int
    waiting_rows: int
    running_batches: int
    loaded_models: int
    loaded_bytes: int
    worker_starts: int
    """The first is none of its failures: two starts are one restart."""
    answered: int
    failed: int
    rows_per_s: float
    models: list[Speed]
    """The busiest first."""


class Counted(Protocol):
    """What runs models here; `inference.engine.engine.Engine`."""

    def stats(self) -> EngineStats: ...


class CountedElsewhere(Protocol):
    """What asks other servers; `inference.engine.remote.RoutedEngine`."""

    def elsewhere(self) -> Mapping[str, ModelView]: ...


class Holders(Protocol):
    """Which versions consist of which files; `app.services.models.models.Models`."""

    async def of_artifact(self, digest: str) -> Sequence[ModelCard]: ...


class EngineViews:
    """Reads the counts of both."""

    def __init__(
        self,
        here: Counted,
        elsewhere: CountedElsewhere,
        models: Holders,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._here = here
        self._elsewhere = elsewhere
        self._models = models
        self._since = clock()

    async def now(self) -> EngineNow:
        """Return what is done now and was done so far."""
        stats = self._here.stats()
        speeds = [await self._speed(name, view) for name, view in stats.models.items()]
        speeds += [
            await self._speed(name, view) for name, view in self._elsewhere.elsewhere().items()
        ]
        known = [one for one in speeds if one is not None]
        return EngineNow(
            since=self._since,
            waiting_calls=stats.waiting_calls,
            waiting_rows=stats.waiting_rows,
            running_batches=stats.running_batches,
            loaded_models=stats.loaded_models,
            loaded_bytes=stats.loaded_bytes,
            worker_starts=stats.worker_starts,
            answered=sum(one.answered for one in known),
            failed=sum(one.failed for one in known),
            rows_per_s=sum(one.rows_per_s for one in known),
            models=sorted(known, key=lambda one: (-one.answered, one.model)),
        )

    async def _speed(self, name: str, view: ModelView) -> Speed | None:
        """Return a model's counts, None where no version has such files any more."""
        digest, _, url = name.partition("@")
        cards = [
            card
            for card in await self._models.of_artifact(digest)
            if (card.deployment_url or "") == url
        ]
        if not cards:
            return None
        card = max(cards, key=lambda one: (one.status == "deployed", one.created_at))
        return Speed(
            model=label(card),
            model_id=card.id,
            where="elsewhere" if url else "here",
            answered=view.answered,
            failed=view.failed,
            batches=view.batches,
            rows=view.rows,
            mean_batch_rows=view.mean_batch_rows,
            mean_batch_calls=view.mean_batch_calls,
            p50_ms=view.p50_ms,
            p99_ms=view.p99_ms,
            rows_per_s=view.rows_per_s,
            left_alone_for_s=view.open_until_s or None,
        )
