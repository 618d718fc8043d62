"""Datasets and their versions, as rows."""

from uuid import UUID

import msgspec

from app.domain.datasets import DatasetVersion, DatasetWishes, NewDatasetVersion
from app.domain.errors import Conflict
from app.domain.ids import new_id
from app.domain.text import clean_text
from app.storage.engine import Database, PooledConnection, Record
from app.storage.rows import from_json
from inference.bundle import PreprocessingStep
from inference.datasets.intake import IntakeWishes

_VERSION = """
    SELECT v.id, v.dataset_id, d.name, v.version, v.digest, v.manifest::text AS manifest, v.size,
           v.as_of, v.storage_location, v.created_at
      FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id
"""


class PostgresDatasets:
    """Implements `app.services.datasets.datasets.DatasetStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, new: NewDatasetVersion) -> DatasetVersion:
        """Store a version with its dataset; return the one that is there if its content is known.

        The dataset's own row shows its newest version.

        Raises:
            Conflict: it does not follow the newest version, where it says which it follows.
        """
        async with self._database.transaction() as connection:
            dataset_id = await connection.fetchval(
                """
                INSERT INTO datasets (id, name, description, type, source, features, size, splits,
                                      status, storage_location, created_by, quality)
                VALUES ($1, $2, $3, 'training', $4, $5, $6, $7, 'ready', $8,
                        (SELECT id FROM users WHERE id = $9), $10)
                ON CONFLICT (name) DO UPDATE SET name = excluded.name
                RETURNING id
                """,
                new_id(),
                new.name,
                new.description,
                new.source,
                new.features,
                new.size,
                new.splits,
                new.storage_location,
                new.created_by,
                new.quality,
            )
            # The row is locked from here on, so that versions are counted one by one.
            found = await connection.fetchval(
                "SELECT id FROM dataset_versions WHERE dataset_id = $1 AND digest = $2",
                dataset_id,
                new.digest,
            )
            if found is None:
                await _check_newest(connection, dataset_id, new)
                found = await connection.fetchval(
                    """
                    INSERT INTO dataset_versions (id, dataset_id, version, digest, manifest,
                                                  features, size, storage_location, as_of,
                                                  quality)
                    SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, $7, $8, $9
                      FROM dataset_versions WHERE dataset_id = $2
                    RETURNING id
                    """,
                    new_id(),
                    dataset_id,
                    new.digest,
                    new.manifest,
                    new.features,
                    new.size,
                    new.storage_location,
                    new.as_of,
                    new.quality,
                )
                await connection.execute(
                    """
                    UPDATE datasets SET features = $2, size = $3, splits = $4, source = $5,
                                        storage_location = $6, status = 'ready', quality = $7,
                                        preprocessing_steps = coalesce($8, preprocessing_steps),
                                        updated_at = now()
                     WHERE id = $1
                    """,
                    dataset_id,
                    new.features,
                    new.size,
                    new.splits,
                    new.source,
                    new.storage_location,
                    new.quality,
                    None
                    if new.preprocessing_steps is None
                    else msgspec.to_builtins(new.preprocessing_steps),
                )
            row = await connection.fetchrow(_VERSION + " WHERE v.id = $1", found)
        return _version(row)

    async def find_version(self, name: str, version: int | None) -> DatasetVersion | None:
        """Return a version of the dataset of this name, without `version` the newest."""
        row = await self._database.fetchrow(
            _VERSION
            + """
             WHERE d.name = $1 AND ($2::int IS NULL OR v.version = $2)
             ORDER BY v.version DESC LIMIT 1
            """,
            clean_text(name),
            version,
        )
        return None if row is None else _version(row)

    async def find_digest(self, digest: str) -> DatasetVersion | None:
        """Return a version by its address, or by the beginning of it if that is only one's."""
        rows = await self._database.fetch(
            _VERSION + " WHERE v.digest LIKE $1 || '%' ORDER BY v.created_at LIMIT 2",
            clean_text(digest).replace("%", "").replace("_", ""),
        )
        distinct = {row["digest"] for row in rows}
        return _version(rows[0]) if len(distinct) == 1 else None

    async def wishes(self, dataset_id: UUID) -> DatasetWishes:
        """Return how a dataset's rows are to be parted and prepared."""
        stored = await self._database.fetchval(
            "SELECT source::text FROM datasets WHERE id = $1", dataset_id
        )
        source = from_json(stored) or {}
        return DatasetWishes(
            wishes=msgspec.convert(source.get("wishes", {}), IntakeWishes),
            steps=msgspec.convert(source.get("steps", []), tuple[PreprocessingStep, ...]),
        )


async def _check_newest(
    connection: PooledConnection, dataset_id: UUID, new: NewDatasetVersion
) -> None:
    if new.follows is None:
        return
    newest = await connection.fetchval(
        "SELECT digest FROM dataset_versions WHERE dataset_id = $1 ORDER BY version DESC LIMIT 1",
        dataset_id,
    )
    if (newest or "") != new.follows:
        raise Conflict(
            f"{new.name} was collected by somebody else meanwhile; collect it again.",
            code="version_conflict",
        )


def _version(row: Record | None) -> DatasetVersion:
    if row is None:
        raise LookupError("the dataset's version has gone")
    values = dict(row.items())
    values["manifest"] = from_json(values["manifest"])
    return DatasetVersion(**values)
