"""Long work: see it, stop it, do it."""

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from app.domain.jobs import JobStatus

_STATUSES = ("queued", "running", "completed", "failed", "cancelled")


@click.group()
def job() -> None:
    """See long work such as training, or stop it."""


@job.command("list")
@click.option("--kind", help="Only jobs of this kind.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only jobs that stand so.")
@data_dir_option
def job_list(kind: str | None, status: str | None, data_dir: Path | None) -> None:
    """List jobs and how far they have come, newest first."""
    from app.terminal.jobs import list_jobs  # noqa: PLC0415

    wanted = cast("JobStatus | None", status)
    run(list_jobs(settings_with(data_dir=data_dir), kind=kind, status=wanted))


@job.command("cancel")
@click.argument("job_id", metavar="ID", type=click.UUID)
@data_dir_option
def job_cancel(job_id: UUID, data_dir: Path | None) -> None:
    """Stop a job; what it has stored until then stays."""
    from app.terminal.jobs import cancel_job  # noqa: PLC0415

    run(cancel_job(settings_with(data_dir=data_dir), job_id))


@click.command()
@data_dir_option
def worker(data_dir: Path | None) -> None:
    """Take up jobs beside the server, in a process of its own, until told to stop.

    The server takes up jobs as well; workers let long ones run elsewhere. Each job is done once,
    however many there are, and taken up again where it was when a process dies over it.
    """
    from app.terminal.jobs import work  # noqa: PLC0415

    run(work(settings_with(data_dir=data_dir)))
