"""A job in the hands of whoever does it, and the store that it is kept in."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from app.domain.ids import UserId
from app.domain.jobs import Claimed, Job, NewJob
from app.domain.views import Position


class JobCancelled(Exception):
    """The job's end was asked for, or somebody else has it now: stop, and write nothing more."""


class JobFailed(Exception):
    """The job cannot be done; the message is meant for people."""


class JobStore(Protocol):
    """Where jobs are."""

    async def insert(self, job: NewJob) -> Job: ...

    async def claim(
        self,
        kinds: Sequence[str],
        *,
        lease: UUID,
        now: datetime,
        until: datetime,
        only: UUID | None = None,
    ) -> Claimed | None: ...

    async def renew(self, job_id: UUID, lease: UUID, *, until: datetime) -> bool | None: ...

    async def progress(
        self,
        job_id: UUID,
        lease: UUID,
        *,
        percent: float,
        stage: str,
        state: dict[str, Any] | None,
    ) -> bool | None: ...

    async def end(
        self,
        job_id: UUID,
        lease: UUID,
        *,
        status: str,
        result: dict[str, Any] | None,
        error: str | None,
        now: datetime,
    ) -> bool: ...

    async def release(self, job_id: UUID, lease: UUID) -> None: ...

    async def cancel(self, job_id: UUID, *, now: datetime) -> Job | None: ...

    async def find(self, job_id: UUID) -> Job | None: ...

    async def page(
        self,
        user_id: UserId | None,
        *,
        kind: str | None,
        status: str | None,
        before: Position | None,
        limit: int,
    ) -> list[Job]: ...


class JobRun:
    """A job in the hands of its handler."""

    def __init__(
        self, claimed: Claimed, store: JobStore, *, write_every_s: float, told: Callable[[], None]
    ) -> None:
        self._claimed = claimed
        self._store = store
        self._write_every_s = write_every_s
        self._told = told
        self._written = float("-inf")
        self.stop = asyncio.Event()
        """Set when the job is to end: its end was asked for, or its lease was lost."""

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self._claimed.id

    @property
    def payload(self) -> dict[str, Any]:
        """What was asked for."""
        return self._claimed.payload

    @property
    def state(self) -> dict[str, Any]:
        """What an earlier attempt left behind; empty at first."""
        return self._claimed.state

    async def progress(
        self, percent: float, stage: str, state: dict[str, Any] | None = None
    ) -> None:
        """Tell how far it is (0 to 100), what it is at, and from where it could go on.

        Raises:
            JobCancelled: it is to end now.
        """
        self.check()
        now = asyncio.get_running_loop().time()
        if state is None and now - self._written < self._write_every_s:
            return
        self._written = now
        asked = await self._store.progress(
            self.id,
            self._claimed.lease,
            percent=min(max(percent, 0.0), 100.0),
            stage=stage,
            state=state,
        )
        if asked is not False:
            self.stop.set()
        self._told()
        self.check()

    def check(self) -> None:
        """Raise `JobCancelled` if the job is to end now."""
        if self.stop.is_set():
            raise JobCancelled


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something short although whoever does it is cancelled once more meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
