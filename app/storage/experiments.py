"""Experiments and what their pairs of predictions say."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.experiments import Counts, Experiment, NewExperiment, Pair
from app.domain.views import Position
from app.storage.engine import Database, Record

_COLUMNS = """
    e.id, e.model, e.mode, e.share, e.alpha, e.champion_id, a.version AS champion_version,
    e.challenger_id, b.version AS challenger_version, e.status, e.created_by, e.started_at,
    e.ended_at, e.decision
"""
_FROM = f"""
SELECT {_COLUMNS} FROM experiments e
  JOIN models a ON a.id = e.champion_id JOIN models b ON b.id = e.challenger_id
"""
# What one of the two answered and the other repeated. Forecasts made after the fact prove nothing,
# nor does what a third version answered for one that was away.
_PAIRS = """
SELECT shown.as_of,
       CASE WHEN shown.model_id = e.champion_id THEN shown.loss ELSE shadow.loss END AS champion,
       CASE WHEN shown.model_id = e.champion_id THEN shadow.loss ELSE shown.loss END AS challenger
  FROM experiments e
  JOIN predictions shown ON shown.experiment_id = e.id AND shown.shadow_of IS NULL
  JOIN predictions shadow ON shadow.shadow_of = shown.id
 WHERE e.id = $1 AND shown.loss IS NOT NULL AND shadow.loss IS NOT NULL
   AND shown.as_of IS NOT DISTINCT FROM shadow.as_of
   AND NOT coalesce((shown.metadata->>'afterTheFact')::boolean, false)
   AND NOT shown.degraded
 ORDER BY shown.as_of, shown.id
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE p.variant = 'champion') AS champion,
       count(*) FILTER (WHERE p.variant = 'challenger') AS challenger,
       count(*) FILTER (WHERE p.degraded OR (s.id IS NOT NULL
                          AND (p.status <> 'completed' OR s.status <> 'completed'))) AS unpaired,
       count(*) FILTER (WHERE p.status = 'completed' AND s.status = 'completed'
                          AND (p.loss IS NULL OR s.loss IS NULL)
                          AND p.resolves_at IS NOT NULL) AS waiting
  FROM predictions p LEFT JOIN predictions s ON s.shadow_of = p.id
 WHERE p.experiment_id = $1 AND p.shadow_of IS NULL
"""


class StoredExperiments:
    """Implements `app.services.experiments.experiments.ExperimentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, new: NewExperiment) -> bool:
        """Store an experiment that begins; False when the model has one that is running."""
        status = await self._database.execute(
            """
            INSERT INTO experiments (id, model, mode, share, alpha, champion_id, challenger_id,
                                     created_by, started_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                ON CONFLICT (model) WHERE status = 'running' DO NOTHING
            """,
            new.id,
            new.model,
            new.mode,
            new.share,
            new.alpha,
            new.champion_id,
            new.challenger_id,
            new.created_by,
            new.started_at,
        )
        return status == "INSERT 0 1"

    async def end(
        self, experiment_id: UUID, status: str, decision: dict[str, Any], *, now: datetime
    ) -> bool:
        """End an experiment; False if it has ended already."""
        rows = await self._database.write(
            "UPDATE experiments SET status = $2, decision = $3, ended_at = $4"
            " WHERE id = $1 AND status = 'running' RETURNING id",
            experiment_id,
            status,
            decision,
            now,
        )
        return bool(rows)

    async def find(self, experiment_id: UUID) -> Experiment | None:
        """Return one experiment."""
        row = await self._database.fetchrow(f"{_FROM} WHERE e.id = $1", experiment_id)
        return None if row is None else _experiment(row)

    async def running(self) -> list[Experiment]:
        """Return every experiment that is running."""
        rows = await self._database.fetch(f"{_FROM} WHERE e.status = 'running' ORDER BY e.id")
        return [_experiment(row) for row in rows]

    async def newest(self, *, since: datetime) -> list[Experiment]:
        """Return those that run, or ended since a moment."""
        rows = await self._database.fetch(
            f"{_FROM} WHERE e.status = 'running' OR e.ended_at >= $1 ORDER BY e.id", since
        )
        return [_experiment(row) for row in rows]

    async def page(
        self, *, model: str | None, status: str | None, before: Position | None, limit: int
    ) -> list[Experiment]:
        """Return experiments, newest first."""
        rows = await self._database.fetch(
            f"""
            {_FROM}
             WHERE ($1::text IS NULL OR e.model = $1) AND ($2::text IS NULL OR e.status = $2)
               AND ($3::timestamptz IS NULL OR (e.started_at, e.id) < ($3, $4::uuid))
             ORDER BY e.started_at DESC, e.id DESC LIMIT $5
            """,
            model,
            status,
            *(before or (None, None)),
            limit,
        )
        return [_experiment(row) for row in rows]

    async def pairs(self, experiment_id: UUID) -> list[Pair]:
        """Return the settled cases that both answered, oldest first."""
        rows = await self._database.fetch(_PAIRS, experiment_id)
        return [
            Pair(
                as_of=row["as_of"],
                champion_loss=row["champion"],
                challenger_loss=row["challenger"],
            )
            for row in rows
        ]

    async def counts(self, experiment_id: UUID) -> Counts:
        """Return how requests were split."""
        row = await self._database.fetchrow(_COUNTS, experiment_id)
        assert row is not None  # noqa: S101 - aggregates always give one row
        return Counts(**dict(row))


def _experiment(row: Record) -> Experiment:
    return Experiment(**dict(row))
