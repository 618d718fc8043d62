"""A desk that can train, on a real Postgres, with the quick recipe of the tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from app.domain.ids import UserId
from app.domain.jobs import Job
from app.domain.training import TrainCommand
from app.services.datasets.datasets import Datasets
from app.services.jobs import JobPolicy, Jobs
from app.services.models.model_speed import SpeedProbe
from app.services.models.models import Models
from app.services.training.default_models import DefaultModels
from app.services.training.trained_models import RegisteredModels
from app.services.training.training import Training, TrainingPolicy
from app.storage.bars import PostgresBars
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.jobs import StoredJobs
from app.storage.models import StoredModels
from app.storage.trainings import StoredTrainings
from app.wiring.bundles import Bundles
from inference.artifacts import ArtifactStore
from inference.cards import ModelCard
from inference.datasets.catalog import VIEWS
from inference.engine.in_process import InProcessEngine
from inference.runtimes.catalog import runtime_for
from inference.training.backends.local import LocalBackend
from inference.training.recipe import Recipe
from tests.fakes.panels import random_bars
from tests.fakes.recipes import RECIPES
from tools.market.instruments import Instrument

CATALOG = "tests.fakes.recipes"
QUICK = JobPolicy(lease_s=2.0, look_every_s=0.05, write_every_s=0.02)


class Clock:
    """A clock that a test may move."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class TrainingDesk:
    """Everything about training that is open, and shorthand for using it."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        *,
        recipes: Mapping[str, Recipe] = RECIPES,
        catalog: str = CATALOG,
    ) -> None:
        self.database = database
        self.data_dir = data_dir
        self.clock = Clock()
        self.instruments, self.bars = PostgresInstruments(database), PostgresBars(database)
        self.artifacts = ArtifactStore(data_dir / "artifacts")
        self.artifacts.prepare()
        self.models = Models(StoredModels(database), self.artifacts, clock=self.clock)
        self.jobs = Jobs(StoredJobs(database), clock=self.clock, policy=QUICK)
        self.history = StoredTrainings(database)
        self.datasets = Datasets(
            PostgresDatasets(database), self.instruments, self.bars, data_dir / "datasets"
        )
        self.engine = InProcessEngine(self.artifacts.open, runtime_for=runtime_for)
        probe = SpeedProbe(
            self.engine, Bundles(self.artifacts), self.datasets, VIEWS, clock=self.clock
        )
        self.registered = RegisteredModels(self.models, self.artifacts, probe=probe)
        self.training = Training(
            self.registered,
            self.datasets,
            self.jobs,
            self.history,
            recipes=recipes,
            backends={"local": LocalBackend},
            root=data_dir / "training",
            clock=self.clock,
            catalog=catalog,
            policy=TrainingPolicy(memory_bytes=2 * 1024**3, threads=1, nice=0),
        )

    def defaults(self, *, retrain_days: int = 0, **options: Any) -> DefaultModels:
        """Return what trains by itself: the quick recipe, with these options."""
        return DefaultModels(
            self.training,
            self.registered,
            self.history,
            self.instruments,
            clock=self.clock,
            retrain_days=retrain_days,
            wanted=(("echo", options), ("alchemy", {})),
        )

    async def stock(self, *symbols: str, bars: int = 250, **provenance: Any) -> None:
        """Give the desk instruments with made-up bars."""
        for symbol in symbols:
            await self.instruments.put(
                Instrument(
                    symbol=symbol, name=symbol, source="made up", provenance=dict(provenance)
                )
            )
            await self.bars.replace(random_bars(symbol, bars))

    async def ask(self, *, by: UserId | None = None, deploy: bool = False, **options: Any) -> Job:
        """Queue a training of the quick recipe."""
        command = TrainCommand(recipe="echo", options=options, deploy=deploy)
        return await self.training.submit(command, by=by)

    async def train(self, *, deploy: bool = False, **options: Any) -> tuple[Job, ModelCard | None]:
        """Train with the quick recipe; return the job that has ended, and its model."""
        job = await self.ask(deploy=deploy, **options)
        return await self.done(job)

    async def done(self, job: Job) -> tuple[Job, ModelCard | None]:
        """Do a job; return it when it has ended, and its model."""
        await self.jobs.work_on(job.id)
        ended = await self.jobs.wait(job.id)
        newest = await self.database.fetchval(
            "SELECT id FROM models WHERE recipe = 'echo' ORDER BY created_at DESC LIMIT 1"
        )
        return ended, None if newest is None else await self.models.get(newest)

    async def versions(self) -> list[ModelCard]:
        """Return every version that was trained, oldest first."""
        rows = await self.database.fetch(
            "SELECT id FROM models WHERE recipe = 'echo' ORDER BY created_at, id"
        )
        return [await self.models.get(row["id"]) for row in rows]

    async def add_bars(self, symbol: str, count: int) -> None:
        """Let time go on: `count` further bars of an instrument."""
        known = await self.bars.read(symbol)
        whole = random_bars(symbol, len(known) + count)
        assert np.array_equal(whole.close[: len(known)], known.close)
        await self.bars.add(whole.slice(len(known)))
