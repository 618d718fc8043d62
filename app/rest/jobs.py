"""`/jobs`: long work and how far it has come."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from app.domain.jobs import Job, JobStatus
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.sign_in import may_read, may_write
from app.services.jobs import Jobs
from app.services.paging import DEFAULT_LIMIT, Page


class JobsController(Controller):
    """The caller's jobs; an admin's are everybody's."""

    path = "/jobs"
    tags = ("Jobs",)

    @get("/", guards=[may_read], summary="My jobs")
    async def page(
        self,
        principal: NamedDependency[Principal],
        jobs: NamedDependency[Jobs],
        kind: Annotated[str | None, QueryParameter(name="kind", max_length=64)] = None,
        status: FromQuery[JobStatus | None] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Job]:
        """Return jobs, newest first."""
        return await jobs.page(principal, kind=kind, status=status, cursor=cursor, limit=limit)

    @get("/{job_id:uuid}", guards=[may_read], summary="One job")
    async def one(
        self,
        job_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        jobs: NamedDependency[Jobs],
    ) -> Job:
        """Return how far a job is, and its result once it is completed."""
        return await jobs.get(principal, job_id)

    @post("/{job_id:uuid}/cancel", status_code=200, guards=[may_write], summary="Stop a job")
    async def cancel(
        self,
        job_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        jobs: NamedDependency[Jobs],
    ) -> Job:
        """Ask for a job's end; what it has stored until then stays."""
        return await jobs.cancel(principal, job_id)
