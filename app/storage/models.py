"""Models in Postgres. A change is written whole, under a lock of the name, or not at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.models import DatasetOrigin, Lineage, ModelChange, ModelEvent, ModelFilter
from app.domain.views import Position
from app.storage.engine import Database, PooledConnection, Record, encode_json
from inference.cards import ModelCard

_STORED = (
    "id", "name", "version", "type", "framework", "architecture", "parameters", "performance",
    "status", "deployment_url", "training_dataset_id", "training_dataset_version_id",
    "validation_metrics", "created_by", "artifact", "recipe", "task", "timeframe", "horizon_bars",
    "knowledge_cutoff", "failure", "deployed_despite", "quarantined_at", "trained_at",
    "deployed_at", "deprecated_at", "created_at", "updated_at",
)  # fmt: skip
_CARD = f"""SELECT {", ".join(f"m.{name}" for name in _STORED)},
       ARRAY(SELECT a.alias FROM model_aliases a WHERE a.model_id = m.id ORDER BY 1) AS aliases
  FROM models m"""
_INSERT = f"""
INSERT INTO models ({", ".join(_STORED)})
VALUES ({", ".join(f"${place}" for place in range(1, len(_STORED) + 1))})
ON CONFLICT DO NOTHING RETURNING id
"""
_CHANGED = _STORED[4:]
_UPDATE = f"""
UPDATE models SET {", ".join(f"{name} = ${place}" for place, name in enumerate(_CHANGED, start=4))}
 WHERE id = $1 AND status = $2 AND updated_at = $3 RETURNING id
"""
_EVENT = """
INSERT INTO model_events (id, model_id, kind, details, user_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_PAGE = f"""{_CARD}
 WHERE ($1::text IS NULL OR m.name = $1) AND ($2::text IS NULL OR m.status = $2)
   AND ($3::text IS NULL OR m.type = $3) AND ($4::text IS NULL OR m.framework = $4)
   AND ($5::text IS NULL OR m.task = $5)
   AND ($6::text IS NULL
        OR EXISTS (SELECT 1 FROM model_aliases a WHERE a.model_id = m.id AND a.alias = $6))
   AND ($7::timestamptz IS NULL OR (m.created_at, m.id) < ($7, $8::uuid))
 ORDER BY m.created_at DESC, m.id DESC LIMIT $9
"""
_CHAMPION = f"""{_CARD}
  JOIN model_aliases c ON c.model_id = m.id AND c.alias = 'champion'
 WHERE m.status = 'deployed' AND m.task = $1 AND ($2::text IS NULL OR m.timeframe = $2)
   AND ($3::int IS NULL OR m.horizon_bars = $3)
 ORDER BY c.updated_at DESC, m.id DESC LIMIT 1
"""
_LAST_GOOD = f"""{_CARD}
 WHERE m.id <> $1 AND m.status IN ('deployed', 'deprecated') AND m.deployed_at IS NOT NULL
   AND m.failure IS NULL AND m.deployment_url IS NULL AND m.artifact IS NOT NULL
   AND m.artifact IS DISTINCT FROM $2 AND (m.name = $3 OR m.task = $4)
   AND m.task IS NOT DISTINCT FROM $4 AND m.timeframe IS NOT DISTINCT FROM $5
   AND m.horizon_bars IS NOT DISTINCT FROM $6
   AND NOT EXISTS (SELECT 1 FROM experiments e
                    WHERE e.challenger_id = m.id AND e.status = 'rejected')
 ORDER BY m.name <> $3,
          EXISTS (SELECT 1 FROM model_aliases a
                   WHERE a.model_id = m.id AND a.alias = 'challenger'),
          m.deployed_at DESC, m.id DESC
 LIMIT 8
"""
# Found worse by its experiment is not good; not proven yet comes after what was.
_WITHDRAWN = f"""{_CARD}
 WHERE m.status = 'failed' AND m.quarantined_at IS NOT NULL AND m.artifact IS NOT NULL
   AND ($1::text IS NULL OR m.name = $1) AND ($3::text IS NULL OR m.task = $3)
   AND ($4::text IS NULL OR m.timeframe = $4) AND ($5::int IS NULL OR m.horizon_bars = $5)
   AND EXISTS (SELECT 1 FROM model_events e
                WHERE e.model_id = m.id AND e.kind = 'quarantined' AND e.details->'aliases' ? $2)
   AND NOT EXISTS (SELECT 1 FROM model_aliases a WHERE a.name = m.name AND a.alias = $2)
 ORDER BY m.quarantined_at DESC, m.id DESC LIMIT 1
"""
_LINEAGE = """
SELECT m.id, m.name, m.version, m.recipe, m.artifact, m.training_dataset_id,
       v.id AS version_id, v.dataset_id, v.version AS dataset_version, v.digest, v.as_of, v.size,
       d.name AS dataset_name, p.count AS predictions, p.first, p.last,
       (SELECT count(*) FROM market_signals s WHERE s.model_id = m.id) AS signals
  FROM models m
  LEFT JOIN dataset_versions v ON v.id = m.training_dataset_version_id
  LEFT JOIN datasets d ON d.id = v.dataset_id
 CROSS JOIN LATERAL (SELECT count(*), min(created_at) AS first, max(created_at) AS last
                       FROM predictions WHERE model_id = m.id) p
 WHERE m.id = $1
"""


class _Moved(Exception):
    """Somebody changed a version in between."""


class StoredModels:
    """Implements `app.services.models.models.ModelStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, card: ModelCard, event: ModelEvent) -> bool:
        """Store a new version; False when its id, or its name and version, are taken.

        Raises:
            ValueError: a number in it is not finite.
        """
        values = _values(card, _STORED)
        async with self._database.transaction() as connection:
            if await connection.fetchval(_INSERT, *values) is None:
                return False
            await _write_event(connection, event)
        return True

    async def change(
        self,
        changes: Sequence[ModelChange],
        *,
        name: str,
        aliases: Mapping[str, UUID | None],
        held: Mapping[str, UUID] | None = None,
    ) -> bool:
        """Change versions of one name, and which of them its aliases point to.

        False, and nothing is written, when a version is not as it was before, or the aliases do
        not point to what was `held`.

        Raises:
            ValueError: a number in it is not finite.
        """
        rows = [(change, _values(change.after, _CHANGED)) for change in changes]
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"models {name}"
                )
                if held is not None and held != await _held(connection, name):
                    raise _Moved
                for change, values in rows:
                    old = change.before
                    moved = await connection.fetchval(
                        _UPDATE, old.id, old.status, old.updated_at, *values
                    )
                    if moved is None:
                        raise _Moved
                    await _write_event(connection, change.event)
                await _write_aliases(connection, name, aliases, at=changes[0].after.updated_at)
        except _Moved:
            return False
        return True

    async def find(self, model_id: UUID) -> ModelCard | None:
        """Return a version by its id."""
        return await self._one(f"{_CARD} WHERE m.id = $1", model_id)

    async def find_version(self, name: str, version: str) -> ModelCard | None:
        """Return one version of a name."""
        return await self._one(f"{_CARD} WHERE m.name = $1 AND m.version = $2", name, version)

    async def find_alias(self, name: str, alias: str) -> ModelCard | None:
        """Return the version that an alias points to."""
        return await self._one(
            f"{_CARD} JOIN model_aliases c ON c.model_id = m.id WHERE c.name = $1 AND c.alias = $2",
            name,
            alias,
        )

    async def find_newest(self, name: str) -> ModelCard | None:
        """Return the version of a name that was made last."""
        return await self._one(
            f"{_CARD} WHERE m.name = $1 ORDER BY m.created_at DESC, m.id DESC LIMIT 1", name
        )

    async def find_champion(
        self, task: str, timeframe: str | None, horizon_bars: int | None
    ) -> ModelCard | None:
        """Return the deployed champion of a task; of several, the one appointed last."""
        return await self._one(_CHAMPION, task, timeframe, horizon_bars)

    async def last_good(self, card: ModelCard) -> list[ModelCard]:
        """Return versions that run here and forecast what `card` does, the last good one first."""
        rows = await self._database.fetch(
            _LAST_GOOD,
            card.id,
            card.artifact,
            card.name,
            card.task,
            card.timeframe,
            card.horizon_bars,
        )
        return [_card(row) for row in rows]

    async def find_withdrawn(
        self,
        alias: str,
        *,
        name: str | None = None,
        task: str | None = None,
        timeframe: str | None = None,
        horizon_bars: int | None = None,
    ) -> ModelCard | None:
        """Return the version that had an alias until its files were found changed, if none has it
        now."""
        return await self._one(_WITHDRAWN, name, alias, task, timeframe, horizon_bars)

    async def held_aliases(self, name: str) -> dict[str, ModelCard]:
        """Return alias -> the version it points to."""
        rows = await self._database.fetch(
            f"{_CARD} WHERE m.id IN (SELECT model_id FROM model_aliases WHERE name = $1)", name
        )
        return {alias: card for card in map(_card, rows) for alias in card.aliases}

    async def last_number(self, name: str) -> int:
        """Return the highest version of a name that is a whole number, 0 without one."""
        found = await self._database.fetchval(
            "SELECT max(version::int) FROM models WHERE name = $1 AND version ~ '^[0-9]{1,9}$'",
            name,
        )
        return int(found or 0)

    async def of_artifact(self, digest: str) -> list[ModelCard]:
        """Return the versions that consist of an artifact."""
        rows = await self._database.fetch(f"{_CARD} WHERE m.artifact = $1 ORDER BY m.id", digest)
        return [_card(row) for row in rows]

    async def page(
        self, asked: ModelFilter, *, before: Position | None, limit: int
    ) -> list[ModelCard]:
        """Return versions, newest first."""
        rows = await self._database.fetch(
            _PAGE,
            asked.name,
            asked.status,
            asked.type,
            asked.framework,
            asked.task,
            asked.alias,
            *(before or (None, None)),
            limit,
        )
        return [_card(row) for row in rows]

    async def events(
        self, model_id: UUID, *, before: Position | None, limit: int
    ) -> list[ModelEvent]:
        """Return what was done to a version, newest first."""
        rows = await self._database.fetch(
            """
            SELECT id, model_id, kind, details, user_id, created_at FROM model_events
             WHERE model_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
             ORDER BY created_at DESC, id DESC LIMIT $4
            """,
            model_id,
            *(before or (None, None)),
            limit,
        )
        return [ModelEvent(**dict(row)) for row in rows]

    async def lineage(self, model_id: UUID) -> Lineage | None:
        """Return where a version comes from and what came of it."""
        row = await self._database.fetchrow(_LINEAGE, model_id)
        return None if row is None else _lineage(row)

    async def _one(self, sql: str, *arguments: Any) -> ModelCard | None:
        row = await self._database.fetchrow(sql, *arguments)
        return None if row is None else _card(row)


async def _held(connection: PooledConnection, name: str) -> dict[str, UUID]:
    rows = await connection.fetch("SELECT alias, model_id FROM model_aliases WHERE name = $1", name)
    return {row["alias"]: row["model_id"] for row in rows}


async def _write_aliases(
    connection: PooledConnection, name: str, aliases: Mapping[str, UUID | None], *, at: datetime
) -> None:
    for alias, model_id in aliases.items():
        if model_id is None:
            await connection.execute(
                "DELETE FROM model_aliases WHERE name = $1 AND alias = $2", name, alias
            )
            continue
        await connection.execute(
            """
            INSERT INTO model_aliases (name, alias, model_id, updated_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (name, alias)
            DO UPDATE SET model_id = excluded.model_id, updated_at = excluded.updated_at
            """,
            name,
            alias,
            model_id,
            at,
        )


async def _write_event(connection: PooledConnection, event: ModelEvent) -> None:
    await connection.execute(
        _EVENT,
        event.id,
        event.model_id,
        event.kind,
        encode_json(event.details),
        event.user_id,
        event.created_at,
    )


def _values(card: ModelCard, names: Sequence[str]) -> list[Any]:
    values: list[Any] = []
    for name in names:
        value = getattr(card, name)
        if name in ("parameters", "performance", "validation_metrics"):
            value = encode_json(msgspec.to_builtins(value))
        values.append(value)
    return values


def _card(row: Record) -> ModelCard:
    fields = dict(row)
    fields["aliases"] = tuple(fields["aliases"])
    for name in ("parameters", "performance"):
        fields[name] = msgspec.convert(fields[name], _TYPES[name])
    return ModelCard(**fields)


_TYPES = {
    field.name: field.type
    for field in msgspec.structs.fields(ModelCard)
    if field.name in ("parameters", "performance")
}


def _lineage(row: Record) -> Lineage:
    dataset = None
    if row["version_id"] is not None:
        dataset = DatasetOrigin(
            id=row["version_id"],
            dataset_id=row["dataset_id"],
            name=row["dataset_name"],
            version=row["dataset_version"],
            digest=row["digest"],
            as_of=row["as_of"],
            size=row["size"],
        )
    return Lineage(
        model_id=row["id"],
        name=row["name"],
        version=row["version"],
        dataset=dataset,
        dataset_id=row["training_dataset_id"],
        recipe=row["recipe"],
        artifact=row["artifact"],
        predictions=row["predictions"],
        signals=row["signals"],
        first_prediction_at=row["first"],
        last_prediction_at=row["last"],
    )
