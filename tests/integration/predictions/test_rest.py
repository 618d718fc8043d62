"""Predictions over HTTP, as a program meets them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from litestar import Litestar

from app.rest.door import RestDoor
from app.services.jobs import Jobs
from app.services.predictions.prediction_batches import PredictionBatches
from app.storage.jobs import StoredJobs
from app.storage.journal_store import PostgresJournal
from tests.integration.predictions.small_models import BARS, VARIANCE, PredictionDesk
from tests.integration.rest.rest_desk import Clients
from tests.integration.rest.rest_desk import Desk as TalkingDesk

ASK = {"modelId": "variance-small@champion", "requestId": "r-1", "input": {"symbol": "AAA"}}


@pytest.fixture
async def people(desk: PredictionDesk) -> AsyncIterator[Clients]:
    async with PostgresJournal(desk.database) as journal:
        talking = TalkingDesk(desk.database, journal)
        await talking.join("ann")
        await talking.join("bob")
        jobs = Jobs(StoredJobs(desk.database), clock=desk.clock)
        services = replace(
            talking.services(),
            predictions=desk.predictions,
            batches=PredictionBatches(
                desk.store, desk.models, desk.answering, jobs, clock=desk.clock
            ),
        )
        clients = Clients(Litestar(plugins=[RestDoor(services)]), talking)
        yield clients
        await clients.aclose()
        talking.passwords.close()


async def test_a_program_asks_reads_and_grades(desk: PredictionDesk, people: Clients) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    ann, bob = people.client("ann"), people.client("bob")
    made = await ann.post("/predictions", json=ASK)
    assert made.status_code == 201
    body = made.json()
    assert {"id", "modelId", "userId", "requestId", "input", "output", "confidence", "latencyMs",
            "status", "createdAt", "baseline", "interval", "asOf",
            "resolvesAt"} <= body.keys()  # fmt: skip
    assert (await ann.post("/predictions", json=ASK)).json() == body
    other = {**ASK, "input": {"symbol": "BBB"}}
    taken = await ann.post("/predictions", json=other)
    assert (taken.status_code, taken.json()["code"]) == (409, "request_id_taken")
    several = {"items": [{**other, "requestId": "r-2"}, {**other, "requestId": "r-3"}]}
    assert len((await ann.post("/predictions", json=several)).json()["items"]) == 2
    both = await ann.post("/predictions", json={**ASK, **several})
    assert both.status_code == 422
    ahead = {**ASK, "requestId": "r-4", "input": {"symbol": "AAA", "asOf": "2999-01-01T00:00:00Z"}}
    assert (await ann.post("/predictions", json=ahead)).json()["code"] == "look_ahead"
    said = await ann.post(f"/predictions/{body['id']}/feedback", json={"rating": 5})
    assert said.json()["feedback"]["rating"] == 5
    await desk.append(BARS + 22)
    await desk.settlement.sweep()
    settled = (await ann.get("/predictions?symbol=aaa&settled=true")).json()["items"]
    assert [one["id"] for one in settled] == [body["id"]]
    assert settled[0]["grade"] in ("hit", "miss")
    assert settled[0]["outcome"]["words"].endswith("a day")
    assert (await bob.get("/predictions")).json()["items"] == []
    assert (await ann.get("/predictions?status=perhaps")).status_code == 422


async def test_a_batch_is_a_job_and_a_table(desk: PredictionDesk, people: Clients) -> None:
    await desk.models.add(VARIANCE)
    ann = people.client("ann")
    inputs = [{"features": {"log_variance_5": -9.0}} for _ in range(3)]
    job = await ann.post("/predictions/batch", json={"modelId": "variance-small", "inputs": inputs})
    assert job.status_code == 202
    waiting = (await ann.get(f"/predictions?jobId={job.json()['id']}")).json()["items"]
    assert {one["status"] for one in waiting} == {"pending"}
    table = await ann.get(f"/predictions/export?jobId={job.json()['id']}&format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.count("\n") == 4
