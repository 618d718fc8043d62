"""Datasets as they are kept: one name, many versions, each found again by its content."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.ids import UserId
from inference.bundle import PreprocessingStep
from inference.datasets.intake import IntakeWishes
from inference.datasets.profile import DatasetFeature
from inference.datasets.quality import Counted, DataQuality

DatasetType = Literal["training", "validation", "test", "production"]
DatasetStatus = Literal["collecting", "processing", "ready", "archived", "corrupted"]
SourceType = Literal["database", "api", "file", "stream"]


class DataSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The seed's, without its credentials: they are sealed, and nobody gets them back."""

    type: SourceType
    uri: str
    """A path, an address, or the topic behind a broker: `kafka://host:port/topic`."""
    query: str | None = None
    """Of a database: one SELECT. Of a stream: `from=…&until=…&rows=…&fields=name:path,…`."""
    format: str | None = None
    """csv, parquet or jsonl (json of an api), where the name does not tell."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The seed's: what its newest version holds, and where it stands."""

    id: UUID
    name: str
    description: str
    type: DatasetType
    source: DataSource
    features: tuple[DatasetFeature, ...]
    size: int
    """Rows."""
    splits: dict[str, float]
    """Shares of the rows by time: train, validation, test."""
    preprocessing_steps: tuple[PreprocessingStep, ...]
    status: DatasetStatus
    quality: DataQuality | None
    """None until there is a version that was judged."""
    storage_location: str
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class NewDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that is to be collected."""

    id: UUID
    name: str
    description: str
    type: DatasetType
    source: DataSource
    wishes: IntakeWishes
    any_file: bool
    """Whoever asked may read every file of this machine (its own terminal)."""
    preprocessing_steps: tuple[PreprocessingStep, ...]
    created_by: UserId | None


class Collectable(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection needs to know of a dataset."""

    id: UUID
    name: str
    description: str
    source: DataSource
    wishes: IntakeWishes
    any_file: bool
    preprocessing_steps: tuple[PreprocessingStep, ...]
    status: DatasetStatus
    credentials: dict[str, str]


class DatasetWishes(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a dataset are to be parted and prepared, as whoever entered it said."""

    wishes: IntakeWishes
    steps: tuple[PreprocessingStep, ...]
    """Not fitted."""


class DatasetProfile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is in a version and how good it is, with what the numbers mean."""

    dataset_id: UUID
    name: str
    version: int
    digest: str
    size: int
    as_of: datetime | None
    features: tuple[DatasetFeature, ...]
    quality: DataQuality | None
    counts: dict[str, Counted]
    """What each dimension rests on."""
    definitions: dict[str, str]


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One version of a dataset: what a model was trained on."""

    id: UUID
    dataset_id: UUID
    name: str
    """Of the dataset."""
    version: int
    """Counted from 1."""
    digest: str
    """SHA-256 of the manifest, in hex."""
    manifest: dict[str, Any]
    size: int
    """How many rows it has."""
    as_of: datetime | None
    """Up to when its data was known, UTC; None where no row has a time."""
    storage_location: str
    created_at: datetime


class NewDatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that may be known already."""

    name: str
    description: str
    source: dict[str, Any]
    """The seed's DataSource."""
    features: list[dict[str, Any]]
    """The seed's DatasetFeature, one a column."""
    splits: dict[str, float]
    digest: str
    manifest: dict[str, Any]
    size: int
    as_of: datetime | None
    storage_location: str
    created_by: UUID | None = None
    quality: dict[str, Any] = {}
    """A QualityReport."""
    follows: str | None = None
    """Of a stream: the digest of the version that it goes on from, empty for the first."""
    preprocessing_steps: tuple[PreprocessingStep, ...] | None = None
    """Fitted on the rows of training; None: as they were."""
