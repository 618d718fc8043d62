"""What training needs of the desk: met by the registry of models and its artifacts."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.domain.datasets import DatasetVersion
from app.domain.ids import UserId
from app.services.datasets.datasets import Recorded
from inference.cards import ModelCard, ModelParameters, ModelPerformance, ModelType
from inference.training.evaluation.comparison import CaseLosses
from inference.training.recipe import Recipe


class NewTraining(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is about to be trained."""

    id: UUID
    name: str
    recipe: Recipe
    type: ModelType
    """Of a table's model by its target, else the recipe's."""
    parameters: ModelParameters
    dataset: DatasetVersion
    timeframe: str | None
    horizon_bars: int | None
    created_by: UserId | None


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What a training left."""

    folder: Path
    """The artifact."""
    parameters: ModelParameters
    performance: ModelPerformance
    validation_metrics: dict[str, Any]
    trained_at: datetime
    data: Recorded
    """What it learned from: it is timed on rows of that."""


class TrainedModels(Protocol):
    """Models, as far as training changes them."""

    async def find(self, model_id: UUID) -> ModelCard | None: ...

    async def begin(self, new: NewTraining) -> ModelCard:
        """Store a version as `training`; doing it again with the same id returns it."""
        ...

    async def finish(self, model_id: UUID, finished: Finished) -> ModelCard:
        """Store the artifact and the card's numbers, and take the version to `ready`.

        Doing it again, from wherever it broke off, ends at the same version.

        Raises:
            InferenceError: the artifact or the evaluation is not fit for `ready`.
        """
        ...

    async def fail(self, model_id: UUID, reason: str) -> None:
        """Mark a version that is being trained as failed."""
        ...

    async def champion(self, name: str) -> ModelCard | None: ...

    async def deploy(self, model_id: UUID, *, reason: str) -> ModelCard:
        """Make a version the champion of its name, in the place of the one there is."""
        ...

    async def losses(self, card: ModelCard) -> CaseLosses | None:
        """Return the losses of a version's evaluation, if its artifact keeps them.

        Raises:
            BadModel: its file holds something else.
        """
        ...


class TrainingHistory(Protocol):
    """What was asked for before."""

    async def was_asked(self, once: str) -> bool:
        """Tell whether a training of this name is under way or has ended, however."""
        ...

    async def cancel_asked(self, job_id: UUID) -> bool:
        """Tell whether somebody asked for a job's end."""
        ...

    async def champions(self) -> Sequence[UUID]:
        """Return the champions that were trained here."""
        ...

    async def abandoned(self) -> Sequence[tuple[UUID, UUID, str]]:
        """Return versions in training whose job has ended without them: job, model, why."""
        ...

    async def is_over(self, job_id: UUID) -> bool:
        """Tell whether a job has ended, or is unknown."""
        ...
