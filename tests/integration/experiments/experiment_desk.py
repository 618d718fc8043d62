"""A desk whose models are in the real registry, and people who ask it every evening."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save_file

from app.domain.models import Measured, NewModel
from app.domain.predictions import Prediction
from app.domain.principal import Principal
from app.services.conversations.pricing import PriceBook
from app.services.experiments.experiments import Experiments
from app.services.models.models import Models
from app.services.predictions.answering import Answering
from app.services.predictions.prediction_costs import PredictionCosts
from app.services.predictions.predictions import PredictCommand, Predictions
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

NAME = "variance-small"
TOMORROW = msgspec.structs.replace(
    VARIANCE, horizon_bars=1, event="the mean variance of the next daily bar"
)


class ExperimentDesk(PredictionDesk):
    """A desk whose models are in the real registry."""

    def __init__(self, database: Database, root: Path) -> None:
        super().__init__(database, root)
        self.root = root
        artifacts = self.artifacts = ArtifactStore(root / "artifacts")
        artifacts.prepare()
        self.registry = Models(StoredModels(database), artifacts, clock=self.clock)
        self.engine = InProcessEngine(artifacts.open, runtime_for=runtime_for)
        self.experiments = Experiments(StoredExperiments(database), self.registry, clock=self.clock)
        self.sick: str | None = None
        self.answering = Answering(
            self.store,
            Bundles(artifacts),
            self,
            self.features,
            clock=self.clock,
            costs=PredictionCosts(PriceBook(), clock=self.clock),
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
