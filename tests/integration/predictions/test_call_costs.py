"""What programs use of LLMs through `/v2`: reserved before, settled once, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import pytest

from app.domain.costs import PREDICTING
from app.domain.principal import Principal
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recovery import recover
from app.services.models.call_costs import CallCosts
from app.services.models.model_calls import ModelCalls, ServedModel
from app.storage.call_costs import StoredCallCosts
from app.storage.events import StoredEvents
from app.storage.journal_store import PostgresJournal
from app.storage.orphans import Orphans
from inference.errors import DeadlineExceeded, ModelFailed
from inference.requests import Rows
from inference.runtimes.connections import Connection
from tests.fakes.llm_models import FakeModelServer, Reply
from tests.integration.predictions.small_models import VARIANCE, PredictionDesk
from tests.integration.predictions.test_costs import OWN, PRICED, judge

ROWS = Rows.of([{"headline": "profit up"}, {"headline": "profit down"}])


class Nobody:
    """Takes what the journal publishes."""

    def publish(self, *_: object) -> None:
        """Tell nobody."""


@pytest.fixture
def calls(desk: PredictionDesk) -> ModelCalls:
    costs = CallCosts(StoredCallCosts(desk.database), PriceBook(), clock=desk.clock)
    return ModelCalls(desk.models, desk.models.bundle, desk.engine, costs=costs)


@pytest.fixture
async def server(desk: PredictionDesk) -> AsyncIterator[FakeModelServer]:
    async with FakeModelServer("openai", lambda _: Reply({"up": 0.6})).serving() as server:
        desk.connections["openai"] = Connection(server.url, api_key="k")
        yield server


async def entries(desk: PredictionDesk) -> list[tuple[object, ...]]:
    rows = await desk.database.fetch(
        "SELECT user_id, provider, model, status, outcome, input_tokens, output_tokens, amount_usd,"
        " estimated FROM cost_entries ORDER BY created_at"
    )
    return [tuple(row.values()) for row in rows]


async def served(desk: PredictionDesk, calls: ModelCalls, name: str = PRICED) -> ServedModel:
    await desk.models.add(judge(name))
    return await calls.find("judge")


@pytest.mark.parametrize(("name", "price"), [(PRICED, Decimal("0.0000495")), (OWN, None)])
async def test_a_call_is_reserved_while_it_runs_and_settled_by_what_was_told(
    desk: PredictionDesk, ann: Principal, calls: ModelCalls, server: FakeModelServer,
    name: str, price: Decimal | None,
) -> None:  # fmt: skip
    model = await served(desk, calls, name)
    seen: list[asyncio.Task[list[tuple[object, ...]]]] = []

    def decide(_: object) -> Reply:
        seen.append(asyncio.create_task(entries(desk)))
        return Reply({"up": 0.6})

    server.decide = decide
    answers = await calls.ask(model, ROWS, user_id=ann.user_id)
    assert len(answers) == 2
    (row,) = await seen[0]
    assert row[3:5] == ("reserved", "pending")
    assert await entries(desk) == [
        (ann.user_id, "openai", name, "settled", "succeeded", 200, 40, price, False)
    ]


async def test_what_failed_was_paid_and_what_told_nothing_is_an_estimate(
    desk: PredictionDesk, ann: Principal, calls: ModelCalls, server: FakeModelServer
) -> None:
    model = await served(desk, calls)
    server.decide = lambda _: Reply({"up": 7})
    with pytest.raises(ModelFailed):
        await calls.ask(model, ROWS, user_id=ann.user_id)
    (first,) = await entries(desk)
    assert first[3:5] == ("settled", "failed")
    assert first[7] is not None

    async def late(*_: object, **__: object) -> None:
        raise DeadlineExceeded("no answer")

    desk.engine.predict = late  # type: ignore[method-assign,assignment]
    with pytest.raises(DeadlineExceeded):
        await calls.ask(model, ROWS)
    second = (await entries(desk))[1]
    assert second[0] == UUID(PREDICTING)
    assert second[3:5] == ("settled", "failed")
    assert (second[5], second[7], second[8]) == (15, None, True)


async def test_a_caller_who_leaves_and_a_process_that_dies_leave_nothing_open(
    desk: PredictionDesk, ann: Principal, calls: ModelCalls, server: FakeModelServer
) -> None:
    model, begun = await served(desk, calls), asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    desk.engine.predict = hang  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(calls.ask(model, ROWS, user_id=ann.user_id))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    (left,) = await entries(desk)
    assert left[3:5] == ("settled", "cancelled")

    # As a process that was killed leaves it.
    await desk.database.execute(
        "UPDATE cost_entries SET status = 'reserved', outcome = 'pending', settled_at = NULL,"
        " created_at = now() - interval '11 minutes'",
    )
    async with PostgresJournal(desk.database) as stored, Journal(stored, Nobody()) as journal:
        orphans = Orphans(desk.database, owner="us", is_running=lambda _: False)
        for _ in range(2):
            await recover(orphans, StoredEvents(desk.database), journal, PriceBook())
    (settled,) = await entries(desk)
    assert settled[3:5] == ("settled", "interrupted")
    assert (settled[5], settled[8]) == (15, True)


async def test_a_model_that_runs_here_enters_nothing(
    desk: PredictionDesk, calls: ModelCalls
) -> None:
    await desk.models.add(VARIANCE)
    model = await calls.find("variance-small")
    assert len(await calls.ask(model, Rows.of([{"log_variance_5": -9.0}]))) == 1
    assert await entries(desk) == []
