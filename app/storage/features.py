"""The online half of the feature store: declared views, and the newest values of each entity."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.domain.features import NewFeatureSet, OnlineCounts
from app.domain.text import clean_json, clean_text
from app.storage.engine import Database, Record
from app.storage.rows import from_json
from inference.datasets.feature_sets import FeatureSet, Value, same_meaning
from inference.datasets.offline_features import Cursor, OnlineRow


class PostgresFeatures:
    """Implements `app.services.datasets.feature_store.FeatureTables`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def declare(self, new: NewFeatureSet) -> FeatureSet:
        """Store a view as the next version of its name; the one that is there if it says the same.

        Only the newest version is compared: to go back to an older meaning is a new version.
        """
        name = new.definition.name
        async with self._database.transaction() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('feature view ' || $1, 0))", name
            )
            row = await connection.fetchrow(
                "SELECT definition::text AS definition FROM feature_views WHERE name = $1 "
                "ORDER BY version DESC LIMIT 1",
                name,
            )
            newest = None if row is None else _definition(row)
            if newest is not None and same_meaning(newest, new.definition):
                return newest
            version = 1 if newest is None else newest.version + 1
            definition = msgspec.structs.replace(new.definition, version=version)
            await connection.execute(
                """
                INSERT INTO feature_views (name, version, definition, dataset_id, created_by)
                VALUES ($1, $2, $3, $4, (SELECT id FROM users WHERE id = $5))
                """,
                name,
                version,
                msgspec.to_builtins(definition),
                new.dataset_id,
                new.created_by,
            )
            return definition

    async def declared(self) -> list[FeatureSet]:
        """Return the declared views, by name and version."""
        rows = await self._database.fetch(
            "SELECT definition::text AS definition FROM feature_views ORDER BY name, version"
        )
        return [_definition(row) for row in rows]

    async def write(self, view: FeatureSet, rows: Sequence[OnlineRow]) -> int:
        """Store values where they are newer than what is there; return how many were."""
        status = await self._database.execute(
            """
            INSERT INTO feature_values AS old
                   (view, version, entity, event_time, known_at, features)
            SELECT $1, $2, entity, event_time, known_at, features::jsonb
              FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
                AS new (entity, event_time, known_at, features)
             ORDER BY entity
                ON CONFLICT (view, version, entity) DO UPDATE
               SET event_time = excluded.event_time, known_at = excluded.known_at,
                   features = excluded.features, written_at = now()
             WHERE (excluded.event_time, excluded.known_at) > (old.event_time, old.known_at)
                OR ((excluded.event_time, excluded.known_at) = (old.event_time, old.known_at)
                    AND excluded.features <> old.features)
            """,
            view.name,
            view.version,
            [clean_text(row.entity) for row in rows],
            [row.event_time for row in rows],
            [row.known_at for row in rows],
            [msgspec.json.encode(clean_json(row.values)).decode() for row in rows],
        )
        return int(status.rsplit(" ", 1)[1])

    async def read(self, view: FeatureSet, entities: Sequence[str]) -> dict[str, OnlineRow]:
        """Return what is stored of some entities."""
        rows = await self._database.fetch(
            """
            SELECT entity, event_time, known_at, features::text AS features FROM feature_values
             WHERE view = $1 AND version = $2 AND entity = ANY($3::text[])
            """,
            view.name,
            view.version,
            [clean_text(one) for one in entities],
        )
        return {row["entity"]: _row(row, view) for row in rows}

    async def page(self, view: FeatureSet, *, after: str, limit: int) -> list[OnlineRow]:
        """Return what is stored, by entity."""
        rows = await self._database.fetch(
            """
            SELECT entity, event_time, known_at, features::text AS features FROM feature_values
             WHERE view = $1 AND version = $2 AND entity > $3 ORDER BY entity LIMIT $4
            """,
            view.name,
            view.version,
            clean_text(after),
            limit,
        )
        return [_row(row, view) for row in rows]

    async def counts(self, view: FeatureSet, *, now: datetime) -> OnlineCounts | None:
        """Return how many entities are stored and how old they are; None if there are none."""
        row = await self._database.fetchrow(
            """
            SELECT count(*) AS entities, max(event_time) AS newest,
                   count(*) FILTER (WHERE event_time < $3) AS stale
              FROM feature_values WHERE view = $1 AND version = $2
            """,
            view.name,
            view.version,
            now - view.ttl,
        )
        if row is None or not row["entities"]:
            return None
        return OnlineCounts(
            entities=row["entities"], newest_event_at=row["newest"], stale=row["stale"]
        )

    async def cursor(self, view: FeatureSet) -> tuple[Cursor, datetime] | None:
        """Return how far a view was taken, and when; None if it never was."""
        row = await self._database.fetchrow(
            "SELECT store, batch, until, materialized_at FROM feature_states "
            "WHERE view = $1 AND version = $2",
            view.name,
            view.version,
        )
        if row is None:
            return None
        cursor = Cursor(store=row["store"], batch=row["batch"], until=row["until"])
        return cursor, row["materialized_at"]

    async def set_cursor(self, view: FeatureSet, cursor: Cursor, *, now: datetime) -> None:
        """Say how far a view was taken."""
        await self._database.execute(
            """
            INSERT INTO feature_states (view, version, store, batch, until, materialized_at)
            VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (view, version) DO UPDATE
               SET store = excluded.store, batch = excluded.batch, until = excluded.until,
                   materialized_at = excluded.materialized_at
            """,
            view.name,
            view.version,
            cursor.store,
            cursor.batch,
            cursor.until,
            now,
        )


def _definition(row: Record) -> FeatureSet:
    return msgspec.convert(from_json(row["definition"]), FeatureSet)


def _row(row: Record, view: FeatureSet) -> OnlineRow:
    stored = from_json(row["features"])
    values: dict[str, Value] = {}
    for column in view.columns:
        value = stored.get(column.name)
        # JSON of the database writes whole numbers without a point.
        number = column.kind == "number" and value is not None
        values[column.name] = float(value) if number else value
    return OnlineRow(
        entity=row["entity"],
        event_time=row["event_time"],
        known_at=row["known_at"],
        values=values,
    )
