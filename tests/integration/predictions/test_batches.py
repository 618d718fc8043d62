"""Thousands of predictions as a job: all made, once, whatever dies; bad ones fail alone."""

import asyncio
from typing import Any

import duckdb
import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound, TooLarge
from app.domain.jobs import Job
from app.domain.predictions import PredictionFilter
from app.domain.principal import Principal
from app.services.jobs import Jobs
from app.services.predictions.prediction_batches import MOST, BatchCommand, PredictionBatches
from app.services.predictions.prediction_exports import as_table
from app.storage.jobs import StoredJobs
from tests.integration.predictions.small_models import SYMBOLS, VARIANCE, PredictionDesk


@pytest.fixture
def jobs(desk: PredictionDesk) -> Jobs:
    return Jobs(StoredJobs(desk.database), clock=desk.clock)


@pytest.fixture
def batches(desk: PredictionDesk, jobs: Jobs) -> PredictionBatches:
    return PredictionBatches(desk.store, desk.models, desk.answering, jobs, clock=desk.clock)


async def ended(jobs: Jobs, who: Principal, job: Job) -> Job:
    async with asyncio.timeout(60):
        while (found := await jobs.get(who, job.id)).status in ("queued", "running"):  # noqa: ASYNC110 - the database tells
            await asyncio.sleep(0.02)
    return found


async def test_a_thousand_rows_are_made_once_each_and_taken_away_as_a_table(
    desk: PredictionDesk, ann: Principal, bob: Principal, jobs: Jobs, batches: PredictionBatches,
    tmp_path: Any,
) -> None:  # fmt: skip
    await desk.models.add(VARIANCE)
    inputs: list[dict[str, Any]] = [
        {"features": {"log_variance_5": -9.0 - index / 1_000}} for index in range(1_000)
    ]
    inputs[500] = {"features": {"nonsense": 1.0}}
    job = await batches.submit(ann, BatchCommand(model="variance-small", inputs=inputs))
    async with jobs:
        done = await ended(jobs, ann, job)
    assert done.status == "completed"
    assert done.result is not None
    assert (done.result["completed"], done.result["failed"]) == (999, 1)
    rows = [one async for page in batches.rows(ann, job.id) for one in page]
    values = sorted(one.output.value for one in rows if one.output is not None)
    expected = sorted(np.exp([-9.0 - i / 1_000 for i in range(1_000) if i != 500]))
    assert values == pytest.approx(expected)
    (wrong,) = [one for one in rows if one.status == "failed"]
    assert wrong.error_code == "bad_input"
    page = await desk.predictions.page(ann, PredictionFilter(job_id=job.id), cursor=None, limit=200)
    assert len(page.items) == 200
    assert [one async for page in batches.rows(bob, job.id) for one in page] == []
    csv = await as_table(batches.rows(ann, job.id), "csv")
    assert csv.count(b"\n") == 1_001
    path = tmp_path / "t.parquet"
    path.write_bytes(await as_table(batches.rows(ann, job.id), "parquet"))
    with duckdb.connect() as table:
        table.execute(f"SELECT count(*), avg(value) FROM '{path}'")
        count, mean = table.fetchall()[0]
    assert count == 1_000
    assert mean == pytest.approx(float(np.mean(expected)))


async def test_markets_in_a_batch_are_forecasts_like_any_other(
    desk: PredictionDesk, ann: Principal, jobs: Jobs, batches: PredictionBatches
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    inputs = [{"symbol": symbol} for symbol in (*SYMBOLS, "NOBODY")]
    job = await batches.submit(ann, BatchCommand(model="variance-small", inputs=inputs))
    async with jobs:
        await ended(jobs, ann, job)
    rows = [one async for page in batches.rows(ann, job.id) for one in page]
    made = {one.symbol: one for one in rows if one.status == "completed"}
    assert sorted(made) == sorted(SYMBOLS)  # type: ignore[type-var]
    assert all(one.baseline is not None and one.interval is not None for one in made.values())
    (unknown,) = [one for one in rows if one.status == "failed"]
    assert unknown.error_code == "unknown_symbol"


async def test_a_batch_whose_process_died_goes_on_with_what_is_missing(
    desk: PredictionDesk, ann: Principal, jobs: Jobs, batches: PredictionBatches
) -> None:
    await desk.models.add(VARIANCE)
    inputs = [{"features": {"log_variance_5": -9.0}} for _ in range(20)]
    job = await batches.submit(ann, BatchCommand(model="variance-small", inputs=inputs))
    waiting = await desk.store.waiting(job.id, limit=5)
    before = {one.id for one in waiting}
    await batches._make(
        waiting[0].model_id, waiting, explain=False, alone=True
    )  # what the dead process did
    first = {one.id: one.latency_ms for one in await all_of(batches, ann, job) if one.id in before}
    async with jobs:
        done = await ended(jobs, ann, job)
    assert done.result is not None
    assert done.result["completed"] == 20
    after = {one.id: one.latency_ms for one in await all_of(batches, ann, job) if one.id in before}
    assert after == first


async def test_a_cancelled_batch_keeps_what_it_has_made(
    desk: PredictionDesk, ann: Principal, jobs: Jobs, batches: PredictionBatches
) -> None:
    await desk.models.add(VARIANCE)
    inputs = [{"features": {"log_variance_5": -9.0}} for _ in range(8)]
    job = await batches.submit(ann, BatchCommand(model="variance-small", inputs=inputs))
    await desk.store.cancel_waiting(job.id)
    rows = await all_of(batches, ann, job)
    assert {(one.status, one.error_code) for one in rows} == {("failed", "cancelled")}


async def test_a_batch_of_nothing_or_of_too_much_is_refused(
    desk: PredictionDesk, ann: Principal, batches: PredictionBatches
) -> None:
    await desk.models.add(VARIANCE)
    with pytest.raises(Invalid, match="is empty"):
        await batches.submit(ann, BatchCommand(model="variance-small", inputs=[]))
    with pytest.raises(TooLarge, match="10,000"):
        await batches.submit(ann, BatchCommand(model="variance-small", inputs=[{}] * (MOST + 1)))
    with pytest.raises(NotFound):
        await batches.submit(ann, BatchCommand(model="nobody", inputs=[{}]))


async def all_of(batches: PredictionBatches, who: Principal, job: Job) -> list[Any]:
    return [one async for page in batches.rows(who, job.id) for one in page]
