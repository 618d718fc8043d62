"""A run supervisor over a real Postgres, with a scripted LLM and the shipped prices."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from agents.llms.catalog import Selection
from agents.llms.scripted import Line, ScriptedLLM
from agents.runner import Runner
from app.domain.agents import Agent
from app.domain.ids import ConversationId, MessageId, RunId, new_id
from app.domain.principal import Principal
from app.domain.runs import StartedRun, StartRun, StoredEvent
from app.services.conversations.conversations import Conversations
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recovery import recover
from app.services.conversations.runs import Runs
from app.storage.conversation_reads import ConversationReads
from app.storage.engine import Database
from app.storage.events import StoredEvents
from app.storage.journal_store import PostgresJournal
from app.storage.liveness import new_owner, stay_alive
from app.storage.orphans import Orphans
from app.storage.runs import StoredRuns
from tests.integration.storage.desk import Desk
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.registry import ToolBox


class Seen:
    """Everything that was published."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []
        self.streaming = asyncio.Event()

    def publish(self, events: Sequence[StoredEvent]) -> None:
        self.events.extend(events)
        if any(event.type == "TEXT_MESSAGE_CONTENT" for event in events):
            self.streaming.set()

    def types(self, run_id: RunId) -> list[str]:
        return [event.type for event in self.events if event.run_id == run_id]


class Process:
    """One server process, as far as runs are concerned."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self.database = database
        self.principal = principal
        self.seen = Seen()
        self.llm = ScriptedLLM([])
        self.model = "script"
        self.prices = PriceBook()
        self.events = StoredEvents(database)
        self.journal_store = PostgresJournal(database)
        self.journal = Journal(self.journal_store, self.seen)
        self.owner = new_owner(new_id())
        market = vendored_market()
        self.runs = Runs(
            StoredRuns(database),
            self.journal,
            Runner(ToolBox(market_tools(market, market))),
            self.prices,
            owner=self.owner,
            llm_for=self.select,
        )
        self.conversations = Conversations(ConversationReads(database))

    def select(self, agent: Agent) -> Selection:
        return Selection(self.llm, self.model, "a script", free=False)

    def script(self, *lines: Line) -> None:
        self.llm = ScriptedLLM(lines, provider="openai")

    async def ask(
        self, content: str, *, conversation_id: ConversationId | None = None, **more: object
    ) -> StartedRun:
        command = StartRun(
            command_id=str(new_id()),
            conversation_id=conversation_id or ConversationId(new_id()),
            run_id=RunId(new_id()),
            message_id=MessageId(new_id()),
            content=content,
            **more,  # type: ignore[arg-type]
        )
        return await self.runs.start(command, self.principal)

    async def answer(
        self, content: str, *, conversation_id: ConversationId | None = None, **more: object
    ) -> StartedRun:
        started = await self.ask(content, conversation_id=conversation_id, **more)
        await self.runs.wait(started.run.id)
        return started

    async def recover(self) -> int:
        orphans = Orphans(self.database, owner=self.owner, is_running=self.runs.is_running)
        return await recover(orphans, self.events, self.journal, self.prices)


@pytest.fixture
async def process(database: Database) -> AsyncIterator[Process]:
    desk = Desk(database)
    agent_id = await desk.agent()
    tools = [{"name": "quotes", "description": "", "endpoint": "builtin:quotes", "parameters": {}}]
    await database.execute(
        "UPDATE agents SET config = config || $2 WHERE id = $1", agent_id, {"tools": tools}
    )
    await database.execute(
        "UPDATE agent_versions SET config = config || $2 WHERE agent_id = $1",
        agent_id,
        {"tools": tools},
    )
    process = Process(database, await desk.user("ann@example.test"))
    alive = stay_alive(process.owner, database.connect)
    async with process.journal_store, process.journal, alive:
        yield process
        await process.runs.close()
