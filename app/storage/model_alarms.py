"""Alarms over models in Postgres, and what else the watch over models reads."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.ids import UserId, new_id
from app.domain.model_alarms import (
    ONCE,
    AlarmFilter,
    Away,
    Broken,
    Finding,
    ModelAlarm,
    step,
    worse,
)
from app.domain.views import Position
from app.storage.engine import Database, PooledConnection, Record, encode_json

_ALARM = """
SELECT a.id, a.model_id, m.name || '@' || m.version AS model, a.kind, a.subject, a.figure, a.worst,
       a.threshold, a.measured_over, a.words, a.evidence, a.opened_at, a.last_over_at, a.looks,
       a.reopened, a.closed_at, a.closed_because, a.acknowledged_at, a.acknowledged_by,
       a.clear_looks, a.clear_since
  FROM model_alarms a JOIN models m ON m.id = a.model_id
"""
_NEWEST = f"""{_ALARM}
 WHERE a.model_id = $1 AND a.kind = $2 AND a.subject = $3
 ORDER BY a.opened_at DESC, a.id DESC LIMIT 1
"""
_OPEN = """
INSERT INTO model_alarms (id, model_id, kind, subject, figure, worst, threshold, measured_over,
                          words, evidence, opened_at, last_over_at)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $10)
"""
_STILL = """
UPDATE model_alarms
   SET figure = $2, worst = $3, threshold = $4, measured_over = $5, words = $6, evidence = $7,
       last_over_at = $8, looks = looks + 1, clear_looks = 0, clear_since = NULL,
       reopened = reopened + (closed_at IS NOT NULL)::int, closed_at = NULL, closed_because = NULL
 WHERE id = $1
"""
_CALM = """
UPDATE model_alarms
   SET figure = $2, clear_looks = $3, clear_since = $4, closed_at = $5, closed_because = $6
 WHERE id = $1
"""
_PAGE = f"""{_ALARM}
 WHERE ($1 = 'all' OR (a.closed_at IS NULL) = ($1 = 'open'))
   AND ($2::uuid IS NULL OR a.model_id = $2) AND ($3::text IS NULL OR a.kind = $3)
   AND ($4::timestamptz IS NULL OR (a.opened_at, a.id) < ($4, $5::uuid))
 ORDER BY a.opened_at DESC, a.id DESC LIMIT $6
"""
_ACKNOWLEDGE = """
UPDATE model_alarms
   SET acknowledged_at = coalesce(acknowledged_at, $3),
       acknowledged_by = coalesce(acknowledged_by, $2),
       closed_at = CASE WHEN kind = ANY($4) THEN coalesce(closed_at, $3) ELSE closed_at END,
       closed_because = CASE WHEN kind = ANY($4) THEN coalesce(closed_because, 'It was seen.')
                             ELSE closed_because END
 WHERE id = $1 RETURNING id
"""
# Nobody measures a version that does not serve any more; damage and rejections are its end.
_OUT_OF_USE = """
UPDATE model_alarms a
   SET closed_at = $1, closed_because = 'It does not serve any more (' || m.status || ').'
  FROM models m
 WHERE m.id = a.model_id AND a.closed_at IS NULL AND m.status <> 'deployed'
   AND a.kind NOT IN ('damaged', 'challenger_rejected')
"""
_AWAY = """
SELECT m.id AS model_id, coalesce(d.times, 0) AS times, coalesce(d.unanswered, 0) AS unanswered,
       coalesce(d.newest, a.opened_at) AS newest, coalesce(d.because, '') AS because,
       EXISTS (SELECT 1 FROM predictions p
                WHERE p.model_id = m.id AND p.status = 'completed' AND NOT p.degraded
                  AND p.created_at > coalesce(d.newest, a.opened_at)) AS answered_since
  FROM models m
  LEFT JOIN (SELECT coalesce(asked_model_id, model_id) AS asked, count(*) AS times,
                    count(*) FILTER (WHERE asked_model_id IS NULL) AS unanswered,
                    max(created_at) AS newest,
                    (array_agg(coalesce(degraded_because, error) ORDER BY created_at DESC))[1]
                        AS because
               FROM predictions
              WHERE created_at >= $1 AND (asked_model_id IS NOT NULL OR error_code = ANY($2))
              GROUP BY 1) d ON d.asked = m.id
  LEFT JOIN model_alarms a ON a.model_id = m.id AND a.kind = 'away' AND a.closed_at IS NULL
 WHERE (d.asked IS NOT NULL AND m.status = 'deployed') OR a.id IS NOT NULL
"""
_AWAY_CODES = ["left_alone", "missing_framework", "not_ready", "worker_lost"]
"""Why predictions failed whose model was not there; `deadline_exceeded` says as much of its
caller's patience."""
_BROKEN = """
SELECT m.id AS model_id, coalesce(m.failure, '') AS failure,
       coalesce(m.quarantined_at, a.opened_at) AS at,
       m.quarantined_at IS NULL OR m.status <> 'failed' AS is_over
  FROM models m
  LEFT JOIN model_alarms a ON a.model_id = m.id AND a.kind = 'damaged' AND a.closed_at IS NULL
 WHERE (m.quarantined_at IS NOT NULL AND m.status = 'failed') OR a.id IS NOT NULL
"""


class StoredModelAlarms:
    """Implements `app.services.models.model_alarms.AlarmStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[bool]:
        """Yield True to one process at a time; a process that dies gives way at once."""
        async with self._database.connection() as connection:
            mine = await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", what
            )
            try:
                yield bool(mine)
            finally:
                if mine and not connection.is_closed():
                    await connection.execute(
                        "SELECT pg_advisory_unlock(hashtextextended($1, 0))", what
                    )

    async def observe(self, findings: Sequence[Finding], *, now: datetime) -> list[ModelAlarm]:
        """Open, keep or close alarms by what was found; return those that opened now."""
        opened: list[UUID] = []
        async with self._database.transaction() as connection:
            for model_id in sorted({one.model_id for one in findings}):
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                    f"model alarms {model_id}",
                )
            for one in findings:
                opened += await _observe(connection, one, now)
            rows = await connection.fetch(f"{_ALARM} WHERE a.id = ANY($1) ORDER BY a.id", opened)
        return [_alarm(row) for row in rows]

    async def page(
        self, which: AlarmFilter, *, before: Position | None, limit: int
    ) -> list[ModelAlarm]:
        """Return alarms, the newest first."""
        rows = await self._database.fetch(
            _PAGE, which.state, which.model_id, which.kind, *(before or (None, None)), limit
        )
        return [_alarm(row) for row in rows]

    async def find(self, alarm_id: UUID) -> ModelAlarm | None:
        """Return one alarm."""
        row = await self._database.fetchrow(f"{_ALARM} WHERE a.id = $1", alarm_id)
        return None if row is None else _alarm(row)

    async def acknowledge(self, alarm_id: UUID, *, by: UserId | None, now: datetime) -> bool:
        """Note that somebody has seen an alarm; the first to say so stays. False: there is none."""
        return bool(await self._database.write(_ACKNOWLEDGE, alarm_id, by, now, list(ONCE)))

    async def close_out_of_use(self, *, now: datetime) -> None:
        """Close what was measured of versions that do not serve any more."""
        await self._database.execute(_OUT_OF_USE, now)

    async def away(self, *, since: datetime) -> list[Away]:
        """Return which models were away since a moment, and which have an alarm that they are."""
        rows = await self._database.fetch(_AWAY, since, _AWAY_CODES)
        return [Away(**dict(row)) for row in rows]

    async def broken(self) -> list[Broken]:
        """Return versions whose files were found changed, and those that have an alarm for it."""
        rows = await self._database.fetch(_BROKEN)
        return [Broken(**dict(row)) for row in rows]

    async def admins(self) -> list[UserId]:
        """Return whom an alarm concerns."""
        rows = await self._database.fetch(
            "SELECT id FROM users WHERE role = 'admin' AND NOT disabled ORDER BY id"
        )
        return [UserId(row["id"]) for row in rows]


async def _observe(connection: PooledConnection, one: Finding, now: datetime) -> list[UUID]:
    row = await connection.fetchrow(_NEWEST, one.model_id, one.kind, one.subject)
    newest = None if row is None else _alarm(row)
    change = step(one.level, newest, now=now, kind=one.kind)
    evidence = encode_json(msgspec.to_builtins(one.evidence))
    if change == "opens":
        alarm_id = new_id()
        await connection.execute(
            _OPEN, alarm_id, one.model_id, one.kind, one.subject, one.figure, one.threshold,
            one.measured_over, one.words, evidence, now,
        )  # fmt: skip
        return [alarm_id]
    if newest is None or change is None:
        return []
    if change in ("stays", "reopens"):
        await connection.execute(
            _STILL, newest.id, one.figure, worse(one.kind, one.figure, newest.worst), one.threshold,
            one.measured_over, one.words, evidence, now,
        )  # fmt: skip
        return []
    calm = change in ("clears", "closes")
    over = change == "closes"
    await connection.execute(
        _CALM, newest.id, one.figure,
        newest.clear_looks + 1 if calm else 0,
        (newest.clear_since or now) if calm else None,
        now if over else None, "It is over." if over else None,
    )  # fmt: skip
    return []


def _alarm(row: Record) -> ModelAlarm:
    return ModelAlarm(**dict(row))
