"""Datasets as they are kept: one name, many versions, each found again by its content."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


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
    as_of: datetime
    """Up to when its data was known, UTC."""
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
    as_of: datetime
    storage_location: str
    created_by: UUID | None = None
