"""Jobs in the terminal: list them, stop one, or take them up in a process of one's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.errors import Conflict, NotFound
from app.domain.jobs import Job, JobStatus
from app.observability.logs import configure_logging
from app.security.people import utc_now
from app.settings import Settings
from app.storage.jobs import StoredJobs
from app.terminal.follow import LocalFollower
from app.terminal.stopping import told_to_stop
from app.wiring.database import open_database
from app.wiring.desk import open_desk

_MOST = 100


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Console, StoredJobs]]:
    configure_logging(level="WARNING", json_lines=settings.log_json)
    with (err := Console(stderr=True)).status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, _):
            status.stop()
            yield err, StoredJobs(database)


async def list_jobs(settings: Settings, *, kind: str | None, status: JobStatus | None) -> None:
    """Print the newest jobs."""
    async with _opened(settings) as (err, jobs):
        found = await jobs.page(None, kind=kind, status=status, before=None, limit=_MOST)
        if not found:
            err.print("There are no jobs.")
            return
        table = Table("job", "status", "began (UTC)", box=None)
        for job in found:
            # The id has a line of its own: whole, to be given to `cancel`.
            name = Text.assemble(job.title, "\n", (str(job.id), "dim"))
            began = job.started_at or job.created_at
            table.add_row(name, _where_it_is(job), f"{began.astimezone(UTC):%Y-%m-%d %H:%M}")
        Console(highlight=False).print(table)


def _where_it_is(job: Job) -> Text:
    match job.status:
        case "running":
            return Text(f"running, {job.percent:.0f} %: {job.stage}")
        case "failed":
            return Text(f"failed: {job.error}" if job.error else "failed")
    return Text(job.status)


async def cancel_job(settings: Settings, job_id: UUID) -> None:
    """Ask for a job's end.

    Raises:
        NotFound: there is none.
        Conflict: it has ended.
    """
    async with _opened(settings) as (err, jobs):
        job = await jobs.cancel(job_id, now=utc_now())
        if job is None:
            ended = await jobs.find(job_id)
            if ended is None:
                raise NotFound("There is no such job.")
            raise Conflict(f"This job is {ended.status} already.", code="job_ended")
        done = "is cancelled" if job.status == "cancelled" else "will stop as soon as it notices"
        err.print(Text(f"{job.title} {done}."))


async def work(settings: Settings) -> None:
    """Take up jobs until the process is told to stop; what it was at goes back into the queue."""
    configure_logging(level=settings.log_level, json_lines=settings.log_json)
    console = Console(highlight=False)
    async with open_desk(settings, LocalFollower(), on_progress=console.print) as desk, desk.jobs:
        console.print(f"Waiting for jobs in {desk.database_label}. Ctrl-C stops.", soft_wrap=True)
        with told_to_stop() as told:
            await told.wait()
