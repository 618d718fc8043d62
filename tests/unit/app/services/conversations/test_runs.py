"""The run supervisor against fakes: every stop, in every moment, ends a run exactly once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agents.llms.catalog import Selection
from agents.llms.scripted import ScriptedLLM
from agents.messages import Message
from agents.runner import RunProgress
from agents.runs import RunOutcome, RunRequest
from agents.sink import RunSink
from app.domain.agents import Agent, AgentConfig, AgentMemory
from app.domain.errors import NotFound, Unavailable
from app.domain.ids import AgentId, ConversationId, MessageId, RunId, UserId, new_id
from app.domain.journal import Batch, RunEnd
from app.domain.principal import ALL_SCOPES, Principal
from app.domain.runs import Run, StartedRun, StartRun, StoredEvent
from app.services.conversations.journal import Journal, JournalPolicy
from app.services.conversations.pricing import PriceBook
from app.services.conversations.runs import RunPolicy, Runs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGENT = Agent(
    id=AgentId(new_id()),
    name="analyst",
    type="analyst",
    version=1,
    status="active",
    config=AgentConfig(
        capabilities=(),
        llm_provider=None,
        llm_model=None,
        system_prompt="",
        temperature=0.2,
        max_tokens=100,
        tools=(),
        memory=AgentMemory(type="conversation", max_tokens=1_000, retention=1),
    ),
    created_at=NOW,
    updated_at=NOW,
)


def somebody() -> Principal:
    return Principal(
        user_id=UserId(new_id()),
        email="ann@example.test",
        name="Ann",
        role="user",
        scopes=ALL_SCOPES,
        credential="local",
        credential_id="local",
    )


class Rows:
    """Runs and the journal in memory: `RunStore` and `JournalStore`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.runs: dict[RunId, Run] = {}
        self.written = Batch()
        self.refuse: Exception | None = None

    async def start(self, command: StartRun, principal: Principal, **_: object) -> StartedRun:
        await self.gate.wait()
        run = Run(
            id=command.run_id,
            conversation_id=command.conversation_id,
            user_id=principal.user_id,
            agent_id=AGENT.id,
            agent_version=1,
            status="running",
            user_message_id=command.message_id,
            started_at=NOW,
        )
        self.runs[run.id] = run
        return StartedRun(run=run, agent=AGENT, created=True, last_seq=0, question=command.content)

    async def history(self, *_: object, **__: object) -> list[Message]:
        return []

    async def running(self, *, owner_not: str) -> list[Run]:
        return []

    async def find(self, run_id: RunId, user_id: UserId) -> Run | None:
        run = self.runs.get(run_id)
        return run if run is not None and run.user_id == user_id else None

    async def write(self, batch: Batch) -> None:
        if self.refuse is not None:
            raise self.refuse
        for field in batch.__struct_fields__:
            getattr(self.written, field).extend(getattr(batch, field))

    def ends(self, run_id: RunId) -> list[RunEnd]:
        return [end for end in self.written.run_ends if end.run_id == run_id]


class Talker:
    """A runner that says a word and then waits to be let on."""

    def __init__(self) -> None:
        self.talking = asyncio.Event()
        self.on = asyncio.Event()
        self.unwinding = asyncio.Event()
        self.unwind = asyncio.Event()
        self.unwind.set()
        self.cancelled = 0
        self.say: Callable[[str], None] = lambda _: None

    async def run(self, request: RunRequest, sink: RunSink, progress: RunProgress) -> RunOutcome:
        self.say = progress.text
        self.say("word")
        self.talking.set()
        try:
            await self.on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.unwinding.set()
            await self.unwind.wait()
            raise
        return progress.outcome("finished")


class Nobody:
    def publish(self, events: Sequence[StoredEvent]) -> None: ...


class Desk:
    def __init__(self, rows: Rows, talker: Talker, runs: Runs) -> None:
        self.rows, self.talker, self.runs = rows, talker, runs
        self.ann = somebody()

    def wish(self, run_id: RunId | None = None) -> StartRun:
        return StartRun(
            command_id=str(new_id()),
            conversation_id=ConversationId(new_id()),
            run_id=run_id or RunId(new_id()),
            message_id=MessageId(new_id()),
            content="talk",
        )

    async def talk(self) -> RunId:
        started = await self.runs.start(self.wish(), self.ann)
        await asyncio.wait_for(self.talker.talking.wait(), 5)
        return started.run.id

    def last(self) -> dict[str, Any]:
        event: dict[str, Any] = msgspec.json.decode(self.rows.written.events[-1].payload)
        return event


@asynccontextmanager
async def desk_of(policy: RunPolicy) -> AsyncIterator[Desk]:
    rows, talker = Rows(), Talker()
    quick = JournalPolicy(quiet_interval_s=0, busy_interval_s=0)
    async with Journal(rows, Nobody(), quick) as journal:
        runs = Runs(
            rows,
            journal,
            talker,  # type: ignore[arg-type]  # it answers as the real runner does
            PriceBook(),
            owner="me",
            llm_for=lambda _: Selection(ScriptedLLM([]), "script", "a script", free=True),
            policy=policy,
            clock=lambda: NOW,
        )
        yield Desk(rows, talker, runs)
        talker.unwind.set()
        await runs.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of(RunPolicy(shutdown_grace_s=0)) as desk:
        yield desk


async def test_a_run_that_is_stopped_before_its_first_step_still_ends(desk: Desk) -> None:
    desk.rows.gate.clear()
    wish = desk.wish()
    starting = asyncio.ensure_future(desk.runs.start(wish, desk.ann))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(desk.runs.stop(wish.run_id, desk.ann))
    desk.rows.gate.set()
    assert await asyncio.wait_for(stopping, 5)
    await starting
    [end] = desk.rows.ends(wish.run_id)
    assert end.status == "cancelled"
    assert desk.last()["outcome"] == {"type": "cancelled"}


async def test_stop_in_the_same_tick_as_begin_ends_the_run(desk: Desk) -> None:
    wish = desk.wish()
    begun = await desk.runs._begin(wish, desk.ann)
    # Its task was made and has not had its first step.
    assert await asyncio.wait_for(desk.runs.stop(begun.run.id, desk.ann), 5)
    [end] = desk.rows.ends(wish.run_id)
    assert end.status == "cancelled"


async def test_a_second_stop_waits_for_the_first_and_cancels_nothing_again(desk: Desk) -> None:
    run_id = await desk.talk()
    desk.talker.unwind.clear()
    stops = [asyncio.ensure_future(desk.runs.stop(run_id, desk.ann)) for _ in range(3)]
    await asyncio.wait_for(desk.talker.unwinding.wait(), 5)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(stop.done() for stop in stops)
    desk.talker.unwind.set()
    assert await asyncio.gather(*stops) == [True, True, True]
    assert desk.talker.cancelled == 1
    assert [end.status for end in desk.rows.ends(run_id)] == ["cancelled"]


async def test_closing_does_not_rewrite_what_a_user_stopped(desk: Desk) -> None:
    run_id = await desk.talk()
    desk.talker.unwind.clear()
    stopping = asyncio.ensure_future(desk.runs.stop(run_id, desk.ann))
    await asyncio.wait_for(desk.talker.unwinding.wait(), 5)
    closing = asyncio.ensure_future(desk.runs.close())
    for _ in range(5):
        await asyncio.sleep(0)
    desk.talker.unwind.set()
    await asyncio.gather(stopping, closing)
    assert [end.status for end in desk.rows.ends(run_id)] == ["cancelled"]


async def test_a_run_that_is_stored_while_the_server_closes_is_ended_too(desk: Desk) -> None:
    desk.rows.gate.clear()
    wish = desk.wish()
    starting = asyncio.ensure_future(desk.runs.start(wish, desk.ann))
    await asyncio.sleep(0)
    await desk.runs.close()
    desk.rows.gate.set()
    await starting
    await asyncio.wait_for(desk.runs.wait(wish.run_id), 5)
    [end] = desk.rows.ends(wish.run_id)
    assert (end.status, end.error_code) == ("failed", "interrupted")


async def test_a_flood_does_not_pass_the_limit_while_it_is_being_stored() -> None:
    async with desk_of(RunPolicy(max_running_per_user=3, shutdown_grace_s=0)) as desk:
        desk.rows.gate.clear()
        flood = [asyncio.ensure_future(desk.runs.start(desk.wish(), desk.ann)) for _ in range(50)]
        await asyncio.sleep(0)
        other = asyncio.ensure_future(desk.runs.start(desk.wish(), somebody()))
        desk.rows.gate.set()
        answers = await asyncio.gather(*flood, return_exceptions=True)
        busy = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert len(busy) == 47
        assert {refusal.code for refusal in busy} == {"busy"}
        assert (await other).created


async def test_a_run_that_cannot_be_stored_any_more_stops_asking_its_provider(
    desk: Desk,
) -> None:
    run_id = await desk.talk()
    desk.rows.refuse = NotFound("The conversation was deleted.", code="conversation_deleted")
    waiting = asyncio.ensure_future(desk.runs.wait(run_id))
    desk.talker.say("more")
    await asyncio.wait_for(waiting, 5)
    assert desk.talker.cancelled == 1
    assert desk.rows.ends(run_id) == []


async def test_a_run_of_another_process_is_not_said_to_have_ended(desk: Desk) -> None:
    run_id = await desk.talk()
    other = Runs(
        desk.rows,
        desk.runs._journal,
        desk.runs._runner,
        PriceBook(),
        owner="you",
        llm_for=desk.runs._llm_for,
    )
    with pytest.raises(Unavailable) as refused:
        await other.stop(run_id, desk.ann)
    assert refused.value.code == "run_elsewhere"
    with pytest.raises(NotFound):
        await other.stop(run_id, somebody())
