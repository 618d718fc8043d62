"""Long work that outlives its request, its socket and its process: a job and where it stands."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.ids import UserId

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
UNDER_WAY: frozenset[JobStatus] = frozenset({"queued", "running"})


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """Work to be taken up once."""

    id: UUID
    kind: str
    """Which handler does it."""
    title: str
    """What is being done, in words for people: "training variance, 5 bars"."""
    payload: dict[str, Any]
    user_id: UserId | None
    """Who asked; None: the desk itself."""
    dedupe_key: str | None
    """Of jobs with one key only one is under way."""
    run_after: datetime


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as it stands."""

    id: UUID
    kind: str
    title: str
    status: JobStatus
    percent: float
    """0 to 100."""
    stage: str
    """What it is at, in words for people."""
    payload: dict[str, Any]
    result: dict[str, Any] | None
    """What came out, once it is completed."""
    error: str | None
    """Why it failed, in words for people."""
    attempts: int
    """How often it was taken up; more than once when its process died."""
    cancel_asked: bool
    user_id: UserId | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A job that this process works on, for as long as it renews its lease."""

    id: UUID
    lease: UUID
    kind: str
    payload: dict[str, Any]
    state: dict[str, Any]
    """What an earlier attempt left behind to go on from."""
    attempts: int
    cancel_asked: bool
    """Its end was asked for, and the process that should have ended it died."""
