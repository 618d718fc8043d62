"""Jobs on a real Postgres: done once, seen while they go on, taken up again, stopped."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import Conflict, NotFound
from app.domain.ids import new_id
from app.domain.jobs import Job
from app.domain.principal import Principal
from app.services.job_runs import JobFailed, JobRun
from app.services.jobs import JobPolicy, Jobs
from app.storage.engine import Database
from app.storage.jobs import StoredJobs
from tests.integration.storage.desk import Desk

QUICK = JobPolicy(lease_s=0.6, look_every_s=0.05, write_every_s=0.02)


class Clock:
    """A clock that a test may move."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def ann(database: Database) -> Principal:
    desk = Desk(database)
    return await desk.user("ann@example.test")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(StoredJobs(database), clock=clock, policy=QUICK)


def kind_of_its_own() -> str:
    """Return a kind that no other test's worker takes up."""
    return f"test-{new_id().hex}"


async def count(run: JobRun) -> dict[str, Any]:
    """Count to `to`, from where an earlier attempt was."""
    at = int(run.state.get("at", 0))
    started_at = at
    while at < run.payload["to"]:
        at += 1
        await run.progress(100 * at / run.payload["to"], f"at {at}", {"at": at})
    return {"counted": at, "startedAt": started_at}


async def test_a_job_is_done_and_seen_while_it_goes_on(jobs: Jobs, ann: Principal) -> None:
    kind, seen = kind_of_its_own(), list[Job]()
    jobs.register(kind, count)
    job = await jobs.submit(kind, title="counting", payload={"to": 5}, owner=ann.user_id)
    assert (job.status, job.percent, job.user_id) == ("queued", 0.0, ann.user_id)
    async with jobs:
        done = await jobs.wait(job.id, seen=seen.append)
    assert done.status == "completed"
    assert done.result == {"counted": 5, "startedAt": 0}
    assert (done.percent, done.stage, done.attempts) == (100.0, "at 5", 1)
    assert [one.percent for one in seen] == sorted(one.percent for one in seen)


async def test_many_workers_do_each_job_once(database: Database, ann: Principal) -> None:
    kind, done = kind_of_its_own(), list[Any]()

    async def note(run: JobRun) -> dict[str, Any]:
        done.append(run.id)
        await asyncio.sleep(0)
        return {}

    workers = [Jobs(StoredJobs(database), clock=Clock(), policy=QUICK) for _ in range(4)]
    for worker in workers:
        worker.register(kind, note)
    asked = [
        await workers[0].submit(kind, title=str(n), payload={}, owner=ann.user_id)
        for n in range(20)
    ]
    async with workers[0], workers[1], workers[2], workers[3]:
        for job in asked:
            assert (await workers[0].wait(job.id)).status == "completed"
    assert sorted(done) == sorted(job.id for job in asked)


async def test_what_is_under_way_under_one_key_is_not_queued_twice(jobs: Jobs) -> None:
    kind, key = kind_of_its_own(), new_id().hex
    jobs.register(kind, count)
    first, second = await asyncio.gather(
        *(
            jobs.submit(kind, title="t", payload={"to": 1}, owner=None, dedupe_key=key)
            for _ in range(2)
        )
    )
    assert first.id == second.id
    await jobs.work_on(first.id)
    third = await jobs.submit(kind, title="t", payload={"to": 1}, owner=None, dedupe_key=key)
    assert third.id != first.id


async def test_a_job_whose_process_died_goes_on_from_where_it_was(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    kind, store = kind_of_its_own(), StoredJobs(database)
    jobs.register(kind, count)
    job = await jobs.submit(kind, title="t", payload={"to": 4}, owner=None)
    lease, now = new_id(), clock()
    taken = await store.claim([kind], lease=lease, now=now, until=now + timedelta(seconds=30))
    assert taken is not None
    await store.progress(job.id, lease, percent=75, stage="at 3", state={"at": 3})

    await jobs.work_on(job.id)
    running = await store.find(job.id)
    assert running is not None
    assert running.status == "running"
    clock.ahead = timedelta(seconds=31)
    await jobs.work_on(job.id)

    done = await jobs.wait(job.id)
    assert done.result == {"counted": 4, "startedAt": 3}
    assert done.attempts == 2
    # Whoever was taken for dead and is not writes nothing any more.
    assert await store.progress(job.id, lease, percent=1, stage="late", state=None) is None
    assert not await store.end(
        job.id, lease, status="failed", result=None, error="late", now=clock()
    )


async def test_a_job_that_processes_die_over_is_given_up(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    kind, store = kind_of_its_own(), StoredJobs(database)
    jobs.register(kind, count)
    job = await jobs.submit(kind, title="t", payload={"to": 1}, owner=None)
    for _ in range(QUICK.attempts):
        now = clock()
        assert await store.claim([kind], lease=new_id(), now=now, until=now)
        clock.ahead += timedelta(seconds=1)
    await jobs.work_on(job.id)
    failed = await jobs.wait(job.id)
    assert (failed.status, failed.result) == ("failed", None)
    assert failed.error is not None
    assert "died 3 times" in failed.error


async def test_the_lease_is_renewed_while_a_long_step_says_nothing(
    database: Database, jobs: Jobs
) -> None:
    kind, go_on = kind_of_its_own(), asyncio.Event()

    async def silent(run: JobRun) -> dict[str, Any]:
        await go_on.wait()
        return {}

    jobs.register(kind, silent)
    other = Jobs(StoredJobs(database), clock=Clock(), policy=QUICK)
    other.register(kind, silent)
    job = await jobs.submit(kind, title="t", payload={}, owner=None)
    async with jobs, other:
        await asyncio.sleep(3 * QUICK.lease_s)
        go_on.set()
        done = await jobs.wait(job.id)
    assert (done.status, done.attempts) == ("completed", 1)


async def test_stopping_the_desk_puts_a_job_back_and_does_not_blame_it(
    database: Database, jobs: Jobs
) -> None:
    kind, begun = kind_of_its_own(), asyncio.Event()

    async def long(run: JobRun) -> dict[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    jobs.register(kind, long)
    job = await jobs.submit(kind, title="t", payload={}, owner=None)
    async with jobs:
        await begun.wait()
    waiting = await StoredJobs(database).find(job.id)
    assert waiting is not None
    assert (waiting.status, waiting.attempts) == ("queued", 0)


@pytest.mark.parametrize("heeds", [True, False])
async def test_a_running_job_stops_when_its_end_is_asked_for(
    jobs: Jobs, ann: Principal, heeds: bool
) -> None:
    kind, begun = kind_of_its_own(), asyncio.Event()

    async def endless(run: JobRun) -> dict[str, Any]:
        begun.set()
        while heeds:
            await run.progress(1, "on and on")
            await asyncio.sleep(0.001)
        await asyncio.Event().wait()
        return {}

    jobs.register(kind, endless)
    job = await jobs.submit(kind, title="t", payload={}, owner=ann.user_id)
    async with jobs:
        await begun.wait()
        assert (await jobs.cancel(ann, job.id)).cancel_asked
        assert (await jobs.wait(job.id)).status == "cancelled"
    with pytest.raises(Conflict) as refused:
        await jobs.cancel(ann, job.id)
    assert refused.value.code == "job_ended"


async def test_a_job_that_waits_is_cancelled_at_once(jobs: Jobs, ann: Principal) -> None:
    job = await jobs.submit(kind_of_its_own(), title="t", payload={}, owner=ann.user_id)
    assert (await jobs.cancel(ann, job.id)).status == "cancelled"


async def test_a_job_whose_process_died_after_its_end_was_asked_for_ends(
    database: Database, jobs: Jobs, clock: Clock, ann: Principal
) -> None:
    kind, store = kind_of_its_own(), StoredJobs(database)
    jobs.register(kind, count)
    job = await jobs.submit(kind, title="t", payload={"to": 1}, owner=ann.user_id)
    now = clock()
    assert await store.claim([kind], lease=new_id(), now=now, until=now + timedelta(seconds=30))
    assert (await jobs.cancel(ann, job.id)).status == "running"
    clock.ahead = timedelta(seconds=31)
    await jobs.work_on(job.id)
    assert (await jobs.wait(job.id)).status == "cancelled"


async def test_what_is_wrong_is_told_and_what_is_our_fault_is_logged(jobs: Jobs) -> None:
    kind, broken = kind_of_its_own(), kind_of_its_own()

    async def refuse(run: JobRun) -> dict[str, Any]:
        raise JobFailed("GOOG has 12 bars; 500 are needed.")

    async def crash(run: JobRun) -> dict[str, Any]:
        raise ZeroDivisionError("secret inner workings")

    jobs.register(kind, refuse)
    jobs.register(broken, crash)
    async with jobs:
        refused = await jobs.wait((await jobs.submit(kind, title="t", payload={}, owner=None)).id)
        crashed = await jobs.wait((await jobs.submit(broken, title="t", payload={}, owner=None)).id)
    assert (refused.status, refused.error) == ("failed", "GOOG has 12 bars; 500 are needed.")
    assert (crashed.status, crashed.error) == (
        "failed",
        "It failed for a reason of its own; it was logged.",
    )


async def test_jobs_are_their_owners(database: Database, jobs: Jobs, ann: Principal) -> None:
    bob = await Desk(database).user("bob@example.test")
    job = await jobs.submit(kind_of_its_own(), title="t", payload={}, owner=ann.user_id)
    for use in (jobs.get, jobs.cancel):
        with pytest.raises(NotFound):
            await use(bob, job.id)
    page = await jobs.page(bob, kind=job.kind, status=None, cursor=None, limit=10)
    assert page.items == []
    mine = await jobs.page(ann, kind=job.kind, status=None, cursor=None, limit=10)
    assert [one.id for one in mine.items] == [job.id]


async def test_whoever_waits_for_a_job_does_it_when_its_process_has_died(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    kind = kind_of_its_own()
    jobs.register(kind, count)
    job = await jobs.submit(kind, title="to be counted", payload={"to": 3}, owner=None)
    now = clock()
    # Another process has it, and dies at once.
    claimed = await StoredJobs(database).claim(
        [kind], lease=new_id(), now=now, until=now + timedelta(seconds=0.3)
    )
    assert claimed is not None

    async with asyncio.timeout(20):
        await jobs.keep_at(job.id)

    assert (await jobs.wait(job.id)).result == {"counted": 3, "startedAt": 0}
