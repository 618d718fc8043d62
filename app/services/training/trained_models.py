"""The registry as training uses it: a version begun once, finished from wherever it broke off."""

import asyncio
from uuid import UUID

import msgspec

from app.domain.errors import NotFound
from app.domain.models import Measured, NewModel
from app.services.models.model_ports import Artifacts
from app.services.models.model_speed import Speed, SpeedProbe
from app.services.models.models import Models
from app.services.training.training_ports import Finished, NewTraining
from inference.cards import ModelCard
from inference.training.evaluation.comparison import LOSSES_FILE, CaseLosses


class RegisteredModels:
    """Implements `app.services.training.training_ports.TrainedModels`."""

    def __init__(
        self, models: Models, artifacts: Artifacts, *, probe: SpeedProbe | None = None
    ) -> None:
        """Args:
        probe: times new versions; without it cards say nothing of speed.
        """
        self._models = models
        self._artifacts = artifacts
        self._probe = probe

    async def find(self, model_id: UUID) -> ModelCard | None:
        try:
            return await self._models.get(model_id)
        except NotFound:
            return None

    async def begin(self, new: NewTraining) -> ModelCard:
        return await self._models.create(
            NewModel(
                id=new.id,
                name=new.name,
                type=new.type,
                framework=new.recipe.framework,
                architecture=new.recipe.name,
                parameters=new.parameters,
                training_dataset_id=new.dataset.dataset_id,
                training_dataset_version_id=new.dataset.id,
                recipe=new.recipe.name,
                task=new.recipe.task,
                timeframe=new.timeframe,
                horizon_bars=new.horizon_bars,
                created_by=new.created_by,
            )
        )

    async def finish(self, model_id: UUID, finished: Finished) -> ModelCard:
        card = await self._models.get(model_id)
        if card.status in ("training", "validating"):
            card = await self._models.attach(
                model_id,
                finished.folder,
                measured=Measured(
                    performance=finished.performance,
                    validation_metrics=finished.validation_metrics,
                    parameters=finished.parameters,
                    trained_at=finished.trained_at,
                ),
            )
            await self._time(card, finished)
            card = await self._models.transition(model_id, "ready", by=None)
        return card

    async def _time(self, card: ModelCard, finished: Finished) -> None:
        """Put on the card how fast it answers here."""
        if self._probe is None:
            return
        speed = await self._probe.measure(card, finished.data)
        performance = finished.performance
        if isinstance(speed, Speed):
            performance = msgspec.structs.replace(
                performance, latency_ms=speed.latency_ms, throughput=speed.throughput
            )
        await self._models.measure(
            card.id,
            Measured(
                performance=performance,
                validation_metrics={"speed": msgspec.to_builtins(speed)},
            ),
        )

    async def fail(self, model_id: UUID, reason: str) -> None:
        card = await self.find(model_id)
        if card is not None and card.status in ("training", "validating"):
            await self._models.transition(model_id, "failed", by=None, reason=reason)

    async def champion(self, name: str) -> ModelCard | None:
        try:
            return await self._models.find(f"{name}@champion")
        except NotFound:
            return None

    async def deploy(self, model_id: UUID, *, reason: str) -> ModelCard:
        return await self._models.transition(
            model_id, "deployed", by=None, reason=reason, alias="champion"
        )

    async def losses(self, card: ModelCard) -> CaseLosses | None:
        artifact = card.artifact
        if artifact is None:
            return None

        def read() -> CaseLosses | None:
            path = self._artifacts.open(artifact) / LOSSES_FILE
            return CaseLosses.read(str(path)) if path.exists() else None

        return await asyncio.to_thread(read)
