"""What is stored of models besides their cards: events, lineage, and what a list asks for."""

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.domain.ids import UserId
from app.domain.views import View
from inference.cards import (
    Framework,
    ModelCard,
    ModelParameters,
    ModelPerformance,
    ModelStatus,
    ModelType,
)

EventKind: TypeAlias = Literal[
    "created", "imported", "attached", "measured", "status", "alias", "quarantined", "mended"
]


class NewModel(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to make a version; it begins in `training`."""

    name: str
    type: ModelType
    framework: Framework
    architecture: str = ""
    version: str | None = None
    """The next whole number of its name by default."""
    id: UUID | None = None
    """Given by who may ask twice: the second time the stored version is returned."""
    parameters: ModelParameters = ModelParameters()
    training_dataset_id: UUID | None = None
    training_dataset_version_id: UUID | None = None
    recipe: str | None = None
    task: str | None = None
    timeframe: str | None = None
    horizon_bars: int | None = None
    deployment_url: str | None = None
    knowledge_cutoff: datetime | None = None
    created_by: UserId | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a version once it was trained; None leaves what is stored."""

    performance: ModelPerformance | None = None
    validation_metrics: dict[str, Any] | None = None
    """With `evaluation`, an `Evaluation` or its JSON."""
    parameters: ModelParameters | None = None
    architecture: str | None = None
    trained_at: datetime | None = None


class ModelEvent(View, frozen=True):
    """Something that was done to a version."""

    id: UUID
    model_id: UUID
    kind: EventKind
    details: dict[str, Any]
    user_id: UUID | None
    created_at: datetime


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """One version before and after; it only happens to what is still as it was."""

    before: ModelCard
    after: ModelCard
    event: ModelEvent


class ModelFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions a list shows."""

    name: str | None = None
    status: ModelStatus | None = None
    type: ModelType | None = None
    framework: Framework | None = None
    task: str | None = None
    alias: str | None = None


class DatasetOrigin(View, frozen=True):
    """The version of a dataset that a model learned from."""

    id: UUID
    dataset_id: UUID
    name: str
    version: int
    digest: str
    as_of: datetime | None
    size: int


class Lineage(View, frozen=True):
    """Where a version comes from, and what came of it."""

    model_id: UUID
    name: str
    version: str
    dataset: DatasetOrigin | None
    """None when it was not trained here, or from no stored dataset."""
    dataset_id: UUID | None
    recipe: str | None
    artifact: str | None
    predictions: int
    signals: int
    first_prediction_at: datetime | None
    last_prediction_at: datetime | None
