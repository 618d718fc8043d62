"""A new version beside the champion, on a real registry, engine and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.experiments import Experiment, ExperimentMode
from app.domain.models import Measured, NewModel
from app.domain.predictions import Prediction, PredictionFilter
from app.domain.principal import Principal
from app.services.answering import Answering
from app.services.experiments import Experiments
from app.services.models import Models
from app.services.predictions import PredictCommand, Predictions
from app.storage.engine import Database
from app.storage.experiments import StoredExperiments
from app.storage.models import StoredModels
from app.wiring.bundles import Bundles
from inference.artifacts import ArtifactStore
from inference.bundle import BUNDLE_FILE
from inference.cards import ModelCard
from inference.engine.in_process import InProcessEngine
from inference.errors import ModelFailed
from inference.requests import Answers, Rows
from inference.runtimes.catalog import runtime_for
from tests.integration.predictions.small_models import EVALUATION, VARIANCE, PredictionDesk
from tests.integration.storage.desk import Desk

NAME = "variance-small"
TOMORROW = msgspec.structs.replace(
    VARIANCE, horizon_bars=1, event="the mean variance of the next daily bar"
)


class ExperimentDesk(PredictionDesk):
    """A desk whose models are in the real registry."""

    def __init__(self, database: Database, root: Path) -> None:
        super().__init__(database, root)
        self.root = root
        artifacts = ArtifactStore(root / "artifacts")
        artifacts.prepare()
        self.registry = Models(StoredModels(database), artifacts, clock=self.clock)
        self.engine = InProcessEngine(artifacts.open, runtime_for=runtime_for)
        self.experiments = Experiments(StoredExperiments(database), self.registry, clock=self.clock)
        self.sick: str | None = None
        self.answering = Answering(
            self.store, Bundles(artifacts), self, self.features, clock=self.clock
        )
        self.predictions = Predictions(
            self.store,
            self.registry,
            self.answering,
            clock=self.clock,
            router=self.experiments,
        )

    async def predict(self, artifact: str, rows: Rows, **how: Any) -> Answers:
        """Run a model, unless it is the sick one."""
        if artifact == self.sick:
            raise ModelFailed("it answered NaN")
        return await self.engine.predict(artifact, rows, **how)

    async def deploy(self, version: str, alias: str, *, bias: float = 0.0) -> ModelCard:
        """Deploy a version that forecasts the variance of last week times e to the bias."""
        folder = self.root / f"files-{version}"
        folder.mkdir()
        weights = {"weight": np.array([[1.0]]), "bias": np.array([bias])}
        save_file(weights, folder / "linear.safetensors")
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(TOMORROW))
        made = await self.registry.add(
            NewModel(name=NAME, version=version, type="regression", framework="numpy"),
            folder,
            Measured(validation_metrics={"evaluation": msgspec.to_builtins(EVALUATION)}),
            by=None,
            source="a test",
        )
        await self.registry.transition(made.id, "ready", by=None)
        return await self.registry.transition(made.id, "deployed", by=None, alias=alias)

    async def ask(self, who: Principal, symbol: str, *, model: str = NAME) -> Prediction:
        command = PredictCommand(
            model=model, request_id=f"{model} {symbol} {self.now}", input={"symbol": symbol}
        )
        return await self.predictions.predict(who, command)

    async def live(self, who: Principal, days: int, symbols: tuple[str, ...] = ("AAA",)) -> None:
        """Ask on so many evenings in a row; then let the outcomes come."""
        for _ in range(days):
            for symbol in symbols:
                await self.ask(who, symbol)
            self.now += timedelta(days=1)
            while self.now.weekday() >= 5:
                self.now += timedelta(days=1)
        await self.predictions.close()
        self.now += timedelta(days=10)
        await self.settlement.sweep()


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[ExperimentDesk]:
    desk = ExperimentDesk(database, tmp_path)
    await desk.load()
    # Every bar is stored; what is read is cut off by the clock.
    desk.now = desk.close_of(150) + timedelta(hours=1)
    async with desk.engine:
        yield desk
        await desk.predictions.close()


@pytest.fixture
async def ann(database: Database) -> Principal:
    return await Desk(database).user("ann@example.test")


async def start(
    desk: ExperimentDesk,
    *,
    mode: ExperimentMode = "shadow",
    share: float = 1.0,
    alpha: float = 0.05,
) -> Experiment:
    return await desk.experiments.start(NAME, mode=mode, share=share, alpha=alpha, by=None)


async def test_a_bad_new_version_is_caught_before_it_becomes_champion(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    bad = await desk.deploy("2", "challenger", bias=2.5)
    experiment = await start(desk)
    early = await desk.experiments.reading(experiment.id)
    assert (early.verdict, early.pairs) == ("too early", 0)

    await desk.live(ann, 70)

    seen = await desk.predictions.page(ann, PredictionFilter(), cursor=None, limit=200)
    assert len(seen.items) == 70
    assert {one.model_id for one in seen.items} == {champion.id}, "people saw the champion alone"
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "worse", reading
    assert reading.pairs > 40
    assert reading.evidence_worse > reading.evidence_needed > reading.evidence_better
    assert reading.skill is not None
    assert reading.skill_high is not None
    assert reading.skill_high < 0
    assert not reading.split.is_broken

    (ended,) = await desk.experiments.look()
    assert ended.status == "rejected"
    assert ended.decision is not None
    assert "worse" in ended.decision["reason"]
    assert ended.decision["reading"]["pairs"] == reading.pairs
    assert (await desk.registry.get(bad.id)).status == "deprecated"
    assert (await desk.registry.find(f"{NAME}@champion")).id == champion.id
    assert await desk.experiments.look() == []
    with pytest.raises(Conflict) as refused:
        await desk.experiments.promote(experiment.id, by=None, reason="I like it")
    assert refused.value.code == "experiment_ended"


async def test_a_better_version_is_promoted_on_the_evidence(
    desk: ExperimentDesk, ann: Principal
) -> None:
    old = await desk.deploy("1", "champion", bias=2.5)
    good = await desk.deploy("2", "challenger")
    experiment = await start(desk, mode="ab", share=0.5)
    with pytest.raises(Conflict) as refused:
        await desk.experiments.promote(experiment.id, by=None, reason=None)
    assert refused.value.code == "not_proven"

    await desk.live(ann, 70, ("AAA", "BBB"))

    seen = await desk.predictions.page(ann, PredictionFilter(), cursor=None, limit=200)
    shown = [one.model_id for one in seen.items]
    assert 45 <= shown.count(good.id) <= 95, "a share was answered by the challenger"
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "better", reading.words
    assert reading.split.requests == 140
    assert reading.split.challenger == shown.count(good.id)
    assert await desk.experiments.look() == [], "an admin decides what is better"

    ended = await desk.experiments.promote(experiment.id, by=None, reason=None)
    assert ended.status == "promoted"
    assert (await desk.registry.find(f"{NAME}@champion")).id == good.id
    assert (await desk.registry.get(old.id)).status == "deprecated"
    assert (await desk.ask(ann, "AAA")).model_id == good.id


async def test_one_like_the_champion_is_not_told_apart(
    desk: ExperimentDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger", bias=1e-9)
    experiment = await start(desk)
    await desk.live(ann, 30)
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "too early"
    assert "cannot be told apart" in reading.words
    assert await desk.experiments.look() == []


async def test_the_same_request_gets_the_same_version_and_who_names_one_gets_it(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    challenger = await desk.deploy("2", "challenger", bias=0.5)
    await start(desk, mode="ab", share=0.5)
    twice = [await desk.ask(ann, "AAA") for _ in range(2)]
    assert twice[0] == twice[1]
    pinned = await desk.ask(ann, "AAA", model=f"{NAME}@1")
    assert pinned.model_id == champion.id
    by_id = await desk.ask(ann, "AAA", model=str(challenger.id))
    assert by_id.model_id == challenger.id
    assert pinned.experiment_id is by_id.experiment_id is None
    await desk.predictions.close()
    rows = await desk.database.fetch("SELECT shadow_of FROM predictions")
    assert len(rows) == 4, "one that counts, its repetition, and two that were chosen"


async def test_a_challenger_that_cannot_answer_harms_nobody_and_is_counted(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    challenger = await desk.deploy("2", "challenger", bias=0.5)
    experiment = await start(desk)
    desk.sick = challenger.artifact
    answered = await desk.ask(ann, "AAA")
    assert (answered.model_id, answered.status) == (champion.id, "completed")
    await desk.predictions.close()
    reading = await desk.experiments.reading(experiment.id)
    assert (reading.unpaired, reading.waiting, reading.pairs) == (1, 0, 0)


async def test_what_cannot_be_compared_is_refused(desk: ExperimentDesk) -> None:
    with pytest.raises(NotFound):
        await start(desk)
    await desk.deploy("1", "champion")
    with pytest.raises(NotFound):
        await start(desk)
    await desk.deploy("2", "challenger")
    for share in (0.0, 1.5):
        with pytest.raises(Invalid):
            await start(desk, share=share)
    with pytest.raises(Invalid):
        await start(desk, mode="ab", share=0.8)
    with pytest.raises(Invalid):
        await start(desk, alpha=0.5)
    one = await start(desk)
    with pytest.raises(Conflict) as refused:
        await start(desk)
    assert refused.value.code == "experiment_running"
    stopped = await desk.experiments.stop(one.id, by=None, reason="a try")
    assert stopped.status == "stopped"
    assert (await start(desk)).id != one.id
    page = await desk.experiments.page(model=NAME, status=None, cursor=None, limit=1)
    assert page.next_cursor is not None


async def test_two_who_start_one_at_once_start_one(desk: ExperimentDesk) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger")
    made = await asyncio.gather(start(desk), start(desk), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Conflict", "Experiment"]
