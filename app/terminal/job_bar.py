"""A job in the terminal: done here or by a server, with a bar that tells how far it is."""

import asyncio

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.domain.jobs import Job
from app.services.job_runs import JobFailed
from app.terminal.session import local_principal
from app.terminal.stopping import told_to_stop
from app.wiring.desk import Desk


async def follow_job(desk: Desk, job: Job) -> Job:
    """Do the job here unless a server does it; show how far it is until it has ended.

    Ctrl-C asks for its end.

    Raises:
        JobFailed: it failed; the message says why.
        asyncio.CancelledError: its end was asked for.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[stage]}"),
        console=Console(stderr=True, highlight=False),
        transient=True,
    )
    with bar, told_to_stop() as told:
        task = bar.add_task(job.title, total=100, stage="")

        def seen(now: Job) -> None:
            bar.update(task, completed=now.percent, stage=now.stage)

        working = asyncio.create_task(desk.jobs.keep_at(job.id))
        waiting = asyncio.create_task(desk.jobs.wait(job.id, seen=seen))
        stopping = asyncio.create_task(told.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await desk.jobs.cancel(local_principal(desk), job.id)
            job = await waiting
        finally:
            for one in (working, waiting, stopping):
                one.cancel()
            await asyncio.wait({working, waiting, stopping})
    if job.status == "cancelled":
        raise asyncio.CancelledError
    if job.status == "failed" or job.result is None:
        raise JobFailed(job.error or "It failed.")
    return job
