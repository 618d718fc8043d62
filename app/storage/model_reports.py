"""What reports on models are made of, and the reports."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.domain.model_reports import Calls, ModelReport, Origin, SaidValue, SettledCase
from app.domain.views import Position
from app.storage.engine import Database
from app.storage.rows import from_json

_SETTLED = """
SELECT * FROM (
    SELECT p.id, p.as_of, p.loss, p.baseline_loss, p.grade = 'hit' AS hit, p.pit
      FROM predictions p
     WHERE p.model_id = $1 AND p.grade IN ('hit', 'miss') AND p.as_of IS NOT NULL
       AND NOT coalesce((p.metadata->>'afterTheFact')::boolean, false)
     ORDER BY p.as_of DESC, p.id DESC LIMIT $2) newest
 ORDER BY as_of, id
"""
_CALLS = """
SELECT count(*) AS n, count(*) FILTER (WHERE status = 'completed' AND model_id = $1) AS completed,
       count(*) FILTER (WHERE status = 'failed' OR model_id <> $1) AS failed,
       count(*) FILTER (WHERE status = 'timeout' AND model_id = $1) AS timed_out,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)
           FILTER (WHERE status = 'completed' AND NOT degraded) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)
           FILTER (WHERE status = 'completed' AND NOT degraded) AS p95
  FROM predictions
 WHERE (model_id = $1 OR asked_model_id = $1) AND created_at >= $2
"""
# Where another version answered for it, it failed. How long those took says nothing of either.
_VALUES = """
SELECT * FROM (
    SELECT p.id, p.created_at, (p.output->>'value')::float8 AS value
      FROM predictions p
     WHERE p.model_id = $1 AND p.status = 'completed'
       AND jsonb_typeof(p.output->'value') = 'number'
     ORDER BY p.created_at DESC, p.id DESC LIMIT $2) newest
 ORDER BY created_at, id
"""
_ORIGIN = """
SELECT v.manifest::text AS manifest FROM models m
  JOIN dataset_versions v ON v.id = m.training_dataset_version_id
 WHERE m.id = $1
"""


class StoredModelReports:
    """Implements `app.services.models.model_health.ReportStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settled(self, model_id: UUID, *, limit: int) -> list[SettledCase]:
        """Return a model's newest settled forecasts, shown or not, oldest first."""
        rows = await self._database.fetch(_SETTLED, model_id, limit)
        return [
            SettledCase(
                as_of=row["as_of"],
                loss=row["loss"],
                baseline_loss=row["baseline_loss"],
                hit=row["hit"],
                pit=row["pit"],
            )
            for row in rows
        ]

    async def calls(self, model_id: UUID, *, since: datetime, now: datetime) -> Calls:
        """Return what became of a model's requests since a moment."""
        row = await self._database.fetchrow(_CALLS, model_id, since)
        assert row is not None  # noqa: S101 - aggregates always give one row
        return Calls(
            since=since,
            n=row["n"],
            completed=row["completed"],
            failed=row["failed"],
            timed_out=row["timed_out"],
            per_hour=row["n"] / max((now - since) / timedelta(hours=1), 1e-9),
            latency_p50_ms=row["p50"],
            latency_p95_ms=row["p95"],
        )

    async def values(self, model_id: UUID, *, limit: int) -> list[SaidValue]:
        """Return the newest numbers that a model has said, oldest first."""
        rows = await self._database.fetch(_VALUES, model_id, limit)
        return [SaidValue(**dict(row)) for row in rows]

    async def origin(self, model_id: UUID) -> Origin | None:
        """Return what a model learned from; None if it was not trained from stored bars."""
        row = await self._database.fetchrow(_ORIGIN, model_id)
        if row is None:
            return None
        manifest = from_json(row["manifest"])
        if manifest.get("kind") != "bars":
            return None
        return Origin(
            symbols=tuple(one["symbol"] for one in manifest["series"]),
            timeframe=manifest["timeframe"],
            as_of=msgspec.convert(manifest["asOf"], datetime, strict=False),
        )

    async def insert(self, report: ModelReport) -> None:
        """Store a report."""
        await self._database.execute(
            "INSERT INTO model_reports (id, model_id, report, alarms, created_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            report.id,
            report.model_id,
            msgspec.to_builtins(report),
            len(report.alarms),
            report.created_at,
        )

    async def page(
        self, model_id: UUID, *, before: Position | None, limit: int
    ) -> list[ModelReport]:
        """Return a model's reports, newest first."""
        rows = await self._database.fetch(
            """
            SELECT report::text AS report FROM model_reports
             WHERE model_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
             ORDER BY created_at DESC, id DESC LIMIT $4
            """,
            model_id,
            *(before or (None, None)),
            limit,
        )
        return [msgspec.json.decode(row["report"], type=ModelReport) for row in rows]

    async def in_use(self) -> list[UUID]:
        """Return the models that serve."""
        rows = await self._database.fetch(
            "SELECT id FROM models WHERE status = 'deployed' AND artifact IS NOT NULL ORDER BY id"
        )
        return [row["id"] for row in rows]
