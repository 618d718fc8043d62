"""Long work: queued, taken up once, seen while it goes on, and finished whatever process dies.

A job belongs to the database. Whoever works on it holds a lease and renews it; when a process
dies, the lease runs out and another takes the job up with the state it left behind.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import Conflict, NotFound, Refusal
from app.domain.ids import UserId, new_id
from app.domain.jobs import UNDER_WAY, Claimed, Job, JobStatus, NewJob
from app.domain.principal import Principal
from app.services.job_runs import JobCancelled, JobFailed, JobRun, JobStore
from app.services.paging import Page, checked_limit, cut, decode_cursor
from inference.errors import InferenceError
from tools.errors import ToolError

log = structlog.get_logger(__name__)


FOR_PEOPLE = (JobFailed, Refusal, InferenceError, ToolError)
"""Errors whose message says what is wrong; of others only that it was logged is told."""


class JobPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How many at once, and how patiently."""

    at_once: int = 1
    """Jobs are heavy; more than one at a time starves the desk of a small machine."""
    lease_s: float = 30.0
    """A job whose process died is taken up again after so long."""
    look_every_s: float = 5.0
    attempts: int = 3
    """After so many processes died over it, a job is given up."""
    write_every_s: float = 0.5
    """Progress is stored no more often than this, unless it comes with state."""


Handler = Callable[[JobRun], Awaitable[dict[str, Any]]]
"""Does a job and returns its result."""


class Jobs:
    """The use cases of jobs; works on them while it is entered."""

    def __init__(
        self, store: JobStore, *, clock: Callable[[], datetime], policy: JobPolicy | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy or JobPolicy()
        self._handlers: dict[str, Handler] = {}
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._tellers: set[asyncio.Task[None]] = set()
        self._running: dict[UUID, JobRun] = {}
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._workers = [
            asyncio.create_task(self._work(), name=f"jobs {number}")
            for number in range(self._policy.at_once)
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers)
        self._workers = []

    def register(self, kind: str, handler: Handler) -> None:
        """Let `handler` do the jobs of one kind."""
        if kind in self._handlers:
            raise ValueError(f"two handlers for jobs of the kind {kind!r}")
        self._handlers[kind] = handler
        self._wake.set()

    # --- asking ---------------------------------------------------------------------------------

    async def submit(
        self,
        kind: str,
        *,
        title: str,
        payload: dict[str, Any],
        owner: UserId | None,
        dedupe_key: str | None = None,
        after_s: float = 0.0,
    ) -> Job:
        """Queue a job; return it, or the one with the same `dedupe_key` that is under way."""
        job = await self._store.insert(
            NewJob(
                id=new_id(),
                kind=kind,
                title=title,
                payload=payload,
                user_id=owner,
                dedupe_key=dedupe_key,
                run_after=self._clock() + timedelta(seconds=after_s),
            )
        )
        self._wake.set()
        return job

    async def page(
        self,
        principal: Principal,
        *,
        kind: str | None,
        status: JobStatus | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Job]:
        """Return the caller's jobs, newest first; an admin sees everybody's and the desk's own."""
        items = await self._store.page(
            None if principal.may("admin") else principal.user_id,
            kind=kind,
            status=status,
            before=decode_cursor(cursor),
            limit=checked_limit(limit) + 1,
        )
        return cut(items, limit, lambda job: (job.created_at, job.id))

    async def get(self, principal: Principal, job_id: UUID) -> Job:
        """Return one job.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        job = await self._store.find(job_id)
        if job is None or not (principal.may("admin") or job.user_id == principal.user_id):
            raise NotFound("There is no such job.")
        return job

    async def cancel(self, principal: Principal, job_id: UUID) -> Job:
        """Ask for a job's end.

        Raises:
            NotFound: there is none, or it is somebody else's.
            Conflict: it has ended.
        """
        job = await self.get(principal, job_id)
        asked = await self._store.cancel(job_id, now=self._clock())
        if asked is None:
            raise Conflict(f"This job is {job.status} already.", code="job_ended")
        if (run := self._running.get(job_id)) is not None:
            run.stop.set()
        self._tell()
        return asked

    async def wait(self, job_id: UUID, *, seen: Callable[[Job], None] = lambda job: None) -> Job:
        """Return a job when it has ended; `seen` gets it whenever it has changed."""
        last: Job | None = None
        while True:
            job = await self._store.find(job_id)
            if job is None:
                raise NotFound("There is no such job.")
            if job != last:
                seen(job)
                last = job
            if job.status not in UNDER_WAY:
                return job
            try:
                # Another process may work on it, which nobody tells us about.
                async with asyncio.timeout(self._policy.write_every_s), self._changed:
                    await self._changed.wait()
            except TimeoutError:
                continue

    # --- working --------------------------------------------------------------------------------

    async def work_on(self, job_id: UUID) -> None:
        """Do one job here and now, if nobody else does."""
        while await self._take(only=job_id):
            pass

    async def keep_at(self, job_id: UUID) -> None:
        """Do one job here unless somebody else does, also once whoever did has died, to its end."""
        while True:
            await self.work_on(job_id)
            job = await self._store.find(job_id)
            if job is None or job.status not in UNDER_WAY:
                return
            await asyncio.sleep(self._policy.look_every_s)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                while await self._take():
                    pass
            except Exception:
                # The database is away, say; what is due stays due.
                log.exception("jobs.failed")
            try:
                async with asyncio.timeout(self._policy.look_every_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _take(self, *, only: UUID | None = None) -> bool:
        now = self._clock()
        claimed = await self._store.claim(
            list(self._handlers), lease=new_id(), now=now, until=self._until(), only=only
        )
        if claimed is None:
            return False
        if claimed.cancel_asked:
            await self._end(claimed, "cancelled")
            return True
        if claimed.attempts > self._policy.attempts:
            await self._end(
                claimed,
                "failed",
                error=f"The process that worked on it died {self._policy.attempts} times.",
            )
            return True
        run = JobRun(
            claimed, self._store, write_every_s=self._policy.write_every_s, told=self._tell
        )
        self._running[run.id] = run
        try:
            await self._do(claimed, run)
        finally:
            del self._running[run.id]
        return True

    async def _do(self, claimed: Claimed, run: JobRun) -> None:
        work = asyncio.ensure_future(self._handlers[claimed.kind](run))
        keeper = asyncio.create_task(self._keep(claimed, run), name=f"lease {run.id}")
        try:
            await asyncio.wait({work, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # The lease is lost or the end was asked for: the handler gets a moment to notice.
                await asyncio.wait({work}, timeout=self._policy.write_every_s)
                work.cancel()
                await asyncio.wait({work})
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait({work})
            await asyncio.shield(self._store.release(claimed.id, claimed.lease))
            raise
        finally:
            keeper.cancel()
        await self._conclude(claimed, work)

    async def _conclude(self, claimed: Claimed, work: "asyncio.Future[dict[str, Any]]") -> None:
        if work.cancelled():
            await self._end(claimed, "cancelled")
            return
        error = work.exception()
        if error is None:
            await self._end(claimed, "completed", result=work.result())
        elif isinstance(error, JobCancelled):
            await self._end(claimed, "cancelled")
        elif isinstance(error, FOR_PEOPLE):
            await self._end(claimed, "failed", error=str(error))
        else:
            # The boundary: the operator gets the traceback, people a sentence.
            log.error("job.failed", job_id=str(claimed.id), kind=claimed.kind, exc_info=error)
            await self._end(
                claimed, "failed", error="It failed for a reason of its own; it was logged."
            )

    async def _end(
        self,
        claimed: Claimed,
        status: JobStatus,
        *,
        result: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        ended = await self._store.end(
            claimed.id, claimed.lease, status=status, result=result, error=error, now=self._clock()
        )
        if not ended:
            log.warning("job.lost", job_id=str(claimed.id), kind=claimed.kind)
        self._tell()

    async def _keep(self, claimed: Claimed, run: JobRun) -> None:
        """Renew the lease; return when the job is to end."""
        while not run.stop.is_set():
            try:
                async with asyncio.timeout(self._policy.lease_s / 3):
                    await run.stop.wait()
            except TimeoutError:
                pass
            else:
                return
            try:
                asked = await self._store.renew(claimed.id, claimed.lease, until=self._until())
            except Refusal:
                # The database is away; the lease may run out meanwhile, which `end` then tells.
                log.warning("job.lease_not_renewed", job_id=str(claimed.id))
                continue
            if asked is not False:
                run.stop.set()

    def _until(self) -> datetime:
        return self._clock() + timedelta(seconds=self._policy.lease_s)

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.create_task(tell())
        self._tellers.add(task)
        task.add_done_callback(self._tellers.discard)
