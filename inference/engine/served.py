"""What the engine holds in its head: models it serves and calls that somebody waits for."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from inference.engine.admission import QueueBounds
from inference.engine.batcher import Batch, Call
from inference.engine.breaker import Breaker
from inference.engine.keeper import Patience
from inference.engine.process import WorkerCommand
from inference.engine.requests import ModelStats
from inference.requests import Answers, Rows


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How much the engine may do and take."""

    worker: WorkerCommand = field(default_factory=WorkerCommand)
    bounds: QueueBounds = field(default_factory=QueueBounds)
    cache_bytes: int = 1024 * 2**20
    """Of loaded models, which the least recently used make room for."""
    patience: Patience = field(default_factory=Patience)
    load_s: float = 120.0
    """A worker that needs longer to load a model is ended."""
    hang_s: float = 10.0
    distant_hang_s: float = 120.0
    """A batch that has run so long, and on which everybody gave up, takes its worker along; the
    second is for models that wait for another computer."""

    def may_run_s(self, lane: str) -> float:
        """Return how long a batch may run when nobody waits for it any more."""
        return self.distant_hang_s if lane == "distant" else self.hang_s


@dataclass(eq=False)
class Served:
    """One artifact."""

    artifact: str
    state: Literal["absent", "opening", "opened", "loading", "loaded"] = "absent"
    folder: Path | None = None
    """Where its verified files are, while it is opened but not yet loading."""
    since: float = 0.0
    """When loading began, on the monotonic clock."""
    lost_loading: int = 0
    """How often in a row the worker was lost while it loaded this."""
    breaker: Breaker = field(default_factory=Breaker)
    stats: ModelStats = field(default_factory=ModelStats)


@dataclass(eq=False)
class Pending:
    """A call and who waits for it."""

    call: Call
    rows: Rows
    answer: asyncio.Future[Answers]
    batch: int | None = None
    """The batch it runs in."""


@dataclass(eq=False)
class Started:
    """A batch that runs."""

    batch: Batch
    begun: float
    blamed: bool = False
    """A caller gave up on it, which was held against the model already."""
