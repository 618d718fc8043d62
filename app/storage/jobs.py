"""Jobs: put in a queue, claimed under a lease, and kept when they have ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.ids import UserId
from app.domain.jobs import Claimed, Job, NewJob
from app.domain.views import Position
from app.storage.engine import Database, Record

_COLUMNS = """
    id, kind, title, status, percent, stage, payload, result, error, attempts, cancel_asked,
    user_id, created_at, started_at, ended_at
"""
_INSERT = """
INSERT INTO jobs (id, kind, title, payload, user_id, dedupe_key, run_after)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'running') DO NOTHING
"""
_SAME = f"""
SELECT {_COLUMNS} FROM jobs
 WHERE id = $1 OR (dedupe_key = $2 AND status IN ('queued', 'running'))
 ORDER BY id = $1 DESC LIMIT 1
"""
# Who claims a running job takes it from a process that stopped renewing its lease.
_CLAIM = """
WITH due AS (
       SELECT id FROM jobs
        WHERE kind = ANY($1) AND ($2::uuid IS NULL OR id = $2)
          AND ((status = 'queued' AND run_after <= $3)
               OR (status = 'running' AND leased_until < $3))
        ORDER BY run_after LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE jobs j
   SET status = 'running', lease = $4, leased_until = $5, attempts = attempts + 1,
       started_at = coalesce(started_at, $3)
  FROM due WHERE j.id = due.id
RETURNING j.id, j.kind, j.payload, j.state, j.attempts, j.cancel_asked
"""
_RENEW = """
UPDATE jobs SET leased_until = $3 WHERE id = $1 AND lease = $2 AND status = 'running'
RETURNING cancel_asked
"""
_PROGRESS = """
UPDATE jobs SET percent = $3, stage = $4, state = coalesce($5, state)
 WHERE id = $1 AND lease = $2 AND status = 'running'
RETURNING cancel_asked
"""
_END = """
UPDATE jobs SET status = $3, result = $4, error = $5, ended_at = $6, lease = NULL,
       leased_until = NULL, percent = CASE WHEN $3 = 'completed' THEN 100 ELSE percent END
 WHERE id = $1 AND lease = $2 AND status = 'running'
RETURNING id
"""
_RELEASE = """
UPDATE jobs SET status = 'queued', lease = NULL, leased_until = NULL, attempts = attempts - 1
 WHERE id = $1 AND lease = $2 AND status = 'running'
"""
_CANCEL = f"""
UPDATE jobs
   SET cancel_asked = true,
       status = CASE WHEN status = 'queued' OR leased_until < $2 THEN 'cancelled' ELSE status END,
       ended_at = CASE WHEN status = 'queued' OR leased_until < $2 THEN $2 ELSE ended_at END,
       lease = CASE WHEN leased_until < $2 THEN NULL ELSE lease END
 WHERE id = $1 AND status IN ('queued', 'running')
RETURNING {_COLUMNS}
"""
_FIND = f"SELECT {_COLUMNS} FROM jobs WHERE id = $1"
_PAGE = f"""
SELECT {_COLUMNS} FROM jobs
 WHERE ($1::uuid IS NULL OR user_id = $1)
   AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR status = $3)
   AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
 ORDER BY created_at DESC, id DESC LIMIT $6
"""


class StoredJobs:
    """Implements `app.services.jobs.JobStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, job: NewJob) -> Job:
        """Store a job; return it, or the one with the same dedupe key that is under way."""
        for _ in range(5):
            await self._database.execute(
                _INSERT,
                job.id,
                job.kind,
                job.title,
                job.payload,
                job.user_id,
                job.dedupe_key,
                job.run_after,
            )
            # The other one may end between the two statements; then there is room for ours.
            row = await self._database.fetchrow(_SAME, job.id, job.dedupe_key)
            if row is not None:
                return _job(row)
        raise RuntimeError(f"job {job.dedupe_key} could not be stored")

    async def claim(
        self,
        kinds: Sequence[str],
        *,
        lease: UUID,
        now: datetime,
        until: datetime,
        only: UUID | None = None,
    ) -> Claimed | None:
        """Take one job that is due out of everybody else's reach until `until`."""
        rows = await self._database.write(_CLAIM, list(kinds), only, now, lease, until)
        for row in rows:
            return Claimed(
                id=row["id"],
                lease=lease,
                kind=row["kind"],
                payload=row["payload"],
                state=row["state"],
                attempts=row["attempts"],
                cancel_asked=row["cancel_asked"],
            )
        return None

    async def renew(self, job_id: UUID, lease: UUID, *, until: datetime) -> bool | None:
        """Keep a job; return whether its end was asked for, None if it is no longer ours."""
        rows = await self._database.write(_RENEW, job_id, lease, until)
        return None if not rows else bool(rows[0]["cancel_asked"])

    async def progress(
        self,
        job_id: UUID,
        lease: UUID,
        *,
        percent: float,
        stage: str,
        state: dict[str, Any] | None,
    ) -> bool | None:
        """Store how far a job is; return as `renew` does."""
        rows = await self._database.write(_PROGRESS, job_id, lease, percent, stage, state)
        return None if not rows else bool(rows[0]["cancel_asked"])

    async def end(
        self,
        job_id: UUID,
        lease: UUID,
        *,
        status: str,
        result: dict[str, Any] | None,
        error: str | None,
        now: datetime,
    ) -> bool:
        """End a job; False if it is no longer ours."""
        return bool(await self._database.write(_END, job_id, lease, status, result, error, now))

    async def release(self, job_id: UUID, lease: UUID) -> None:
        """Put a job back into the queue: this process stops, the job is not to blame."""
        await self._database.execute(_RELEASE, job_id, lease)

    async def cancel(self, job_id: UUID, *, now: datetime) -> Job | None:
        """Ask for a job's end; at once if nobody works on it. None if it has ended."""
        rows = await self._database.write(_CANCEL, job_id, now)
        return _job(rows[0]) if rows else None

    async def find(self, job_id: UUID) -> Job | None:
        """Return a job."""
        row = await self._database.fetchrow(_FIND, job_id)
        return None if row is None else _job(row)

    async def page(
        self,
        user_id: UserId | None,
        *,
        kind: str | None,
        status: str | None,
        before: Position | None,
        limit: int,
    ) -> list[Job]:
        """Return jobs, newest first; of everybody when `user_id` is None."""
        moment, last_id = before or (None, None)
        rows = await self._database.fetch(_PAGE, user_id, kind, status, moment, last_id, limit)
        return [_job(row) for row in rows]


def _job(row: Record) -> Job:
    return Job(**dict(row))
