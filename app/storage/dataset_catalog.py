"""Datasets as a list: what each is, where it stands, and the credentials of its source, sealed."""

from typing import Any
from uuid import UUID

import msgspec

from app.domain.datasets import (
    Collectable,
    Dataset,
    DatasetProfile,
    DatasetStatus,
    DatasetVersion,
    DataSource,
    NewDataset,
)
from app.domain.views import Position
from app.storage.engine import Database, Record
from app.storage.rows import from_json
from app.storage.secrets import Sealer
from inference.bundle import PreprocessingStep
from inference.datasets.intake import IntakeWishes
from inference.datasets.profile import DatasetFeature
from inference.datasets.quality import DEFINITIONS, QualityReport

_DATASET = """
SELECT id, name, description, type, source::text AS source, features::text AS features, size,
       splits::text AS splits, preprocessing_steps::text AS steps, status,
       quality::text AS quality, storage_location, created_by, created_at, updated_at,
       credentials_key_id, credentials_sealed
  FROM datasets
"""
_VERSION = """
SELECT v.id, v.dataset_id, d.name, v.version, v.digest, v.manifest::text AS manifest, v.size,
       v.as_of, v.storage_location, v.created_at, v.features::text AS features,
       v.quality::text AS quality
  FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id
"""


class StoredDatasets:
    """Implements `app.services.datasets.dataset_catalog.CatalogStore`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create(self, new: NewDataset, credentials: dict[str, str]) -> bool:
        """Store a dataset that has no version yet; False if its name is taken."""
        sealed = None
        if credentials:
            secret = msgspec.json.encode(credentials).decode()
            sealed = self._sealer.seal(_sealed_name(new.id), secret)
        status = await self._database.execute(
            """
            INSERT INTO datasets (id, name, description, type, source, splits, preprocessing_steps,
                                  status, created_by, credentials_key_id, credentials_sealed)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 'collecting', $8, $9, $10)
                ON CONFLICT (name) DO NOTHING
            """,
            new.id,
            new.name,
            new.description,
            new.type,
            _kept_source(new),
            dict(zip(("train", "validation", "test"), new.wishes.shares, strict=True)),
            msgspec.to_builtins(new.preprocessing_steps),
            new.created_by,
            self._sealer.key_id if sealed else None,
            sealed,
        )
        return status == "INSERT 0 1"

    async def page(
        self, *, type: str | None, status: str | None, before: Position | None, limit: int
    ) -> list[Dataset]:
        """Return datasets, newest first."""
        rows = await self._database.fetch(
            f"""
            {_DATASET}
             WHERE ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR status = $2)
               AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
             ORDER BY created_at DESC, id DESC LIMIT $5
            """,
            type,
            status,
            *(before or (None, None)),
            limit,
        )
        return [_dataset(row) for row in rows]

    async def find(self, dataset_id: UUID) -> Dataset | None:
        """Return one dataset."""
        row = await self._database.fetchrow(f"{_DATASET} WHERE id = $1", dataset_id)
        return None if row is None else _dataset(row)

    async def find_name(self, name: str) -> Dataset | None:
        """Return the dataset of this name."""
        row = await self._database.fetchrow(f"{_DATASET} WHERE name = $1", name)
        return None if row is None else _dataset(row)

    async def collectable(self, dataset_id: UUID) -> Collectable | None:
        """Return what a collection needs, the credentials opened.

        Raises:
            SealBroken: they were sealed by a key that is not ours.
        """
        row = await self._database.fetchrow(f"{_DATASET} WHERE id = $1", dataset_id)
        if row is None:
            return None
        source = from_json(row["source"])
        credentials: dict[str, str] = {}
        if row["credentials_sealed"] is not None:
            opened = self._sealer.open(
                _sealed_name(dataset_id), row["credentials_key_id"], row["credentials_sealed"]
            )
            credentials = msgspec.json.decode(opened, type=dict[str, str])
        return Collectable(
            id=dataset_id,
            name=row["name"],
            description=row["description"],
            source=msgspec.convert(source, DataSource),
            wishes=msgspec.convert(source.get("wishes", {}), IntakeWishes),
            any_file=bool(source.get("anyFile", False)),
            preprocessing_steps=_steps(source.get("steps", [])),
            status=row["status"],
            credentials=credentials,
        )

    async def set_status(self, dataset_id: UUID, status: DatasetStatus) -> None:
        """Say where a dataset stands."""
        await self._database.execute(
            "UPDATE datasets SET status = $2, updated_at = now() WHERE id = $1", dataset_id, status
        )

    async def versions(self, dataset_id: UUID, *, most: int) -> list[DatasetVersion]:
        """Return a dataset's versions, newest first."""
        rows = await self._database.fetch(
            f"{_VERSION} WHERE v.dataset_id = $1 ORDER BY v.version DESC LIMIT $2",
            dataset_id,
            most,
        )
        return [_version(row)[0] for row in rows]

    async def profile(
        self, dataset_id: UUID, version: int | None
    ) -> tuple[DatasetVersion, DatasetProfile] | None:
        """Return a version with its profile, without `version` the newest."""
        row = await self._database.fetchrow(
            f"{_VERSION} WHERE v.dataset_id = $1 AND ($2::int IS NULL OR v.version = $2) "
            "ORDER BY v.version DESC LIMIT 1",
            dataset_id,
            version,
        )
        return None if row is None else _version(row)


def _kept_source(new: NewDataset) -> dict[str, Any]:
    """Return a source as it is kept: with what was wished, so that it can be collected again."""
    kept: dict[str, Any] = msgspec.to_builtins(new.source)
    return kept | {
        "wishes": msgspec.to_builtins(new.wishes),
        "anyFile": new.any_file,
        "steps": msgspec.to_builtins(new.preprocessing_steps),
    }


def _sealed_name(dataset_id: UUID) -> str:
    return f"dataset {dataset_id}"


def _steps(stored: Any) -> tuple[PreprocessingStep, ...]:
    return msgspec.convert(stored, tuple[PreprocessingStep, ...])


def _features(stored: str | None) -> tuple[DatasetFeature, ...]:
    return msgspec.convert(from_json(stored) or [], tuple[DatasetFeature, ...])


def _report(stored: str | None) -> QualityReport | None:
    found = from_json(stored)
    return msgspec.convert(found, QualityReport) if found else None


def _dataset(row: Record) -> Dataset:
    report = _report(row["quality"])
    return Dataset(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        type=row["type"],
        source=msgspec.convert(from_json(row["source"]), DataSource),
        features=_features(row["features"]),
        size=row["size"],
        splits={"train": 0.0, "validation": 0.0, "test": 0.0, **(from_json(row["splits"]) or {})},
        preprocessing_steps=_steps(from_json(row["steps"]) or []),
        status=row["status"],
        quality=None if report is None else report.quality,
        storage_location=row["storage_location"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _version(row: Record) -> tuple[DatasetVersion, DatasetProfile]:
    report = _report(row["quality"])
    version = DatasetVersion(
        id=row["id"],
        dataset_id=row["dataset_id"],
        name=row["name"],
        version=row["version"],
        digest=row["digest"],
        manifest=from_json(row["manifest"]),
        size=row["size"],
        as_of=row["as_of"],
        storage_location=row["storage_location"],
        created_at=row["created_at"],
    )
    return version, DatasetProfile(
        dataset_id=row["dataset_id"],
        name=row["name"],
        version=row["version"],
        digest=row["digest"],
        size=row["size"],
        as_of=row["as_of"],
        features=_features(row["features"]),
        quality=None if report is None else report.quality,
        counts={} if report is None else report.counts,
        definitions=dict(DEFINITIONS),
    )
