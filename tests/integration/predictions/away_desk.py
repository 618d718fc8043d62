"""A desk whose champion is on another server, which dies and comes back, with versions here."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from app.domain.models import Measured, NewModel
from app.domain.predictions import Prediction
from app.domain.principal import Principal
from app.security.outbound import Allowed
from app.services.conversations.pricing import PriceBook
from app.services.models.models import Models
from app.services.predictions.answering import Answering
from app.services.predictions.prediction_costs import PredictionCosts
from app.services.predictions.predictions import PredictCommand, Predictions
from app.services.predictions.stand_ins import StandIns
from app.storage.engine import Database
from app.storage.models import StoredModels
from app.wiring.bundles import Bundles
from app.wiring.remote import GuardedDeployments, GuardedLine
from inference.bundle import BUNDLE_FILE, Bundle, Member
from inference.cards import ModelCard
from inference.engine.remote import RoutedEngine
from tests.contracts.remote.fake_http import Elsewhere
from tests.integration.experiments.experiment_desk import NAME, TOMORROW, ExperimentDesk
from tests.integration.predictions.small_models import EVALUATION

BIAS = 0.5
"""Of the versions here, in the logarithm of the variance: tells their answers from the server's."""
REMOTE = msgspec.structs.replace(
    TOMORROW,
    members=(Member(name="away", runtime="remote", columns=("log_variance_5",)),),
)


class Server:
    """Another server with a model that says what the small ones here say without a bias."""

    def __init__(self) -> None:
        self.inner = Elsewhere()
        self.inner.width = 1
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Come up, at the same address as before."""
        self._runner = web.AppRunner(self.inner.app())
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def die(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class AwayDesk(ExperimentDesk):
    """The desk."""

    def __init__(self, database: Database, root: Path) -> None:
        super().__init__(database, root)
        allowed = Allowed.read(["127.0.0.1:*"])
        self.registry = Models(
            StoredModels(database),
            self.artifacts,
            clock=self.clock,
            judge_deployment=GuardedDeployments(allowed),
        )
        self.server = Server()
        self.seconds = 0.0
        """Of the breakers' clock."""
        self.routed = RoutedEngine(
            self.engine,
            self.artifacts.open,
            GuardedLine(allowed),
            clock=lambda: self.seconds,
        )
        self.damaged: list[str] = []
        self.answering = Answering(
            self.store,
            Bundles(self.artifacts),
            self,
            self.features,
            clock=self.clock,
            costs=PredictionCosts(PriceBook(), clock=self.clock),
            on_damage=self._quarantine,
        )
        self.predictions = Predictions(
            self.store,
            self.registry,
            self.answering,
            clock=self.clock,
            router=self.experiments,
            stand_ins=StandIns(self.registry, self.answering),
        )

    async def predict(self, artifact: str, rows: Any, **how: Any) -> Any:
        """Ask the engine, here or elsewhere."""
        return await self.routed.predict(artifact, rows, **how)

    async def _quarantine(self, card: ModelCard, why: str) -> None:
        self.damaged.append(card.version)
        if card.artifact is not None:
            await self.registry.quarantine(card.artifact, why)

    async def deploy_elsewhere(
        self,
        version: str,
        bundle: Bundle = REMOTE,
        *,
        alias: str = "champion",
        port: int | None = None,
        **changed: Any,
    ) -> ModelCard:
        """Make a model on the other server the champion."""
        folder = self.root / f"files-{version}"
        folder.mkdir()
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
        new = NewModel(
            name=NAME, version=version, type="regression", framework="numpy",
            deployment_url=f"tfs+http://127.0.0.1:{port or self.server.port}/sum",
        )  # fmt: skip
        made = await self.registry.add(
            msgspec.structs.replace(new, **changed),
            folder,
            Measured(validation_metrics={"evaluation": msgspec.to_builtins(EVALUATION)}),
            by=None,
            source="a test",
        )
        await self.registry.transition(made.id, "ready", by=None)
        return await self.registry.transition(made.id, "deployed", by=None, alias=alias)

    async def put(
        self, who: Principal, request_id: str, *, model: str = NAME, deadline_s: float = 5.0
    ) -> Prediction:
        """Ask a model about one instrument."""
        command = PredictCommand(
            model=model, request_id=request_id, input={"symbol": "AAA"}, deadline_s=deadline_s
        )
        return await self.predictions.predict(who, command)

    def spoil(self, card: ModelCard) -> None:
        """Change the weights of a version on the disk."""
        assert card.artifact is not None
        folder = self.artifacts.open(card.artifact)
        weights = folder / "linear.safetensors"
        weights.chmod(0o644)
        weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")

    async def a_month_later(self) -> None:
        """Let every outcome come."""
        self.now += timedelta(days=30)
        await self.settlement.sweep()
