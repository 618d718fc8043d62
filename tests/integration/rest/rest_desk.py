"""The REST door on a real Postgres, with conversations written the way runs write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx
import msgspec
from litestar import Litestar

from agents.claims import Claim
from agents.events import ToolCallStarted
from agents.llms.builtin.model import BuiltinLLM
from agents.llms.catalog import Selection
from agents.messages import Usage
from agents.runner import Runner
from app.domain.alerts import AlertMoment
from app.domain.costs import CostEntry, Receipt
from app.domain.ids import AgentId, AttemptId, ConversationId, MessageId, RunId, new_id
from app.domain.journal import (
    Batch,
    CostSettlement,
    NewAttachment,
    NewClaim,
    NewMessage,
    NewToolCall,
    RunEnd,
)
from app.domain.principal import ALL_SCOPES, Principal
from app.domain.runs import StartRun, StoredEvent
from app.rest.door import RestServices
from app.rest.me import LLMName
from app.security.authenticator import Authenticator
from app.security.passwords import Passwords
from app.security.people import People
from app.services.accounts import ApiKeys
from app.services.agents import Agents
from app.services.alerts.alert_wishes import AlertWishes
from app.services.conversations.conversations import Conversations
from app.services.conversations.costs_report import CostsReport
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.run_reads import RunReads
from app.services.conversations.runs import Runs
from app.services.datasets.datasets import Datasets
from app.services.jobs import Jobs
from app.services.market.bar_intake import BarIntake
from app.services.market.charts import Charts
from app.services.market.fundamentals import FundamentalsService, StatementIntake
from app.services.market.market import MarketData
from app.services.market.market_records import MarketRecords
from app.services.news.news import News, NewsIntake
from app.services.predictions.prediction_batches import PredictionBatches
from app.services.predictions.predictions import Predictions
from app.services.signals.signals import SignalBook
from app.services.tool_calls import ToolCalls
from app.services.training.training import Training
from app.storage.accounts import Accounts
from app.storage.agent_reads import AgentReads
from app.storage.bars import PostgresBars
from app.storage.conversation_reads import ConversationReads
from app.storage.cost_reads import CostReads
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.jobs import StoredJobs
from app.storage.journal_store import PostgresJournal
from app.storage.news import PostgresNews
from app.storage.predictions import PostgresPredictions
from app.storage.run_reads import RunViews
from app.storage.runs import StoredRuns
from app.storage.signals import PostgresSignals
from app.storage.statements import PostgresStatements
from app.storage.trainings import StoredTrainings
from inference.training.backends.local import LocalBackend
from tests.fakes.recipes import RECIPES
from tests.integration.alerts.alert_desk import AlertsAt
from tests.integration.rest.model_desk import ModelDesk, NoModels
from tools.desk import market_tools
from tools.market.instruments import Instrument
from tools.market.scorer import HenryRules
from tools.opinions import OpinionBook
from tools.registry import ToolBox
from tools.tool import ToolContext

PROMPTS = Path(__file__).parents[3] / "agents" / "prompts"
CHART = {
    "symbol": "GOOG",
    "bars": [[0, 10, 12, 9, 11, 100], [86_400, 11, 13, 10, 12.5, 90]],
    "levels": [{"price": 9.5, "kind": "support"}],
}
BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class Answered:
    """One turn as it was stored."""

    conversation_id: ConversationId
    run_id: RunId
    question_id: MessageId
    answer_id: MessageId
    attachment_id: UUID
    claims: list[Claim]


class Unseen:
    """A publisher that nobody listens to."""

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Show events to nobody."""


class Desk:
    """A desk's storage, and shorthand for putting things into it."""

    def __init__(self, database: Database, journal: PostgresJournal) -> None:
        self.database = database
        self.journal = journal
        self.runs = StoredRuns(database)
        passwords = self.passwords = Passwords()
        self.accounts = People(Accounts(database), passwords)
        self.authenticator = Authenticator(Accounts(database), passwords)
        self.people: dict[str, Principal] = {}
        self.secrets: dict[str, str] = {}
        self.key_ids: dict[str, UUID] = {}
        self.stopped: list[RunId] = []
        self.minute = 0
        instruments, bars = PostgresInstruments(database), PostgresBars(database)
        self.instruments, self.bars = instruments, bars
        news = PostgresNews(database)
        statements = PostgresStatements(database)
        self.signals = SignalBook(
            PostgresSignals(database),
            instruments,
            bars,
            clock=lambda: datetime.now(UTC),
            opinions=OpinionBook(news, statements),
        )
        self.toolbox = toolbox = ToolBox(
            market_tools(instruments, bars, news=news, statements=statements, cases=self.signals)
        )
        self.agents = Agents(
            AgentReads(database),
            tools=toolbox.specs,
            prompts=PROMPTS,
            clock=lambda: datetime.now(UTC),
        )
        supervisor = Runs(
            self.runs,
            Journal(journal, Unseen()),
            Runner(toolbox),
            PriceBook(),
            owner="here",
            llm_for=lambda _: Selection(BuiltinLLM(), "builtin-1", "built-in", free=True),
        )
        self.alerts = AlertsAt(
            database, (instruments, bars), supervisor, toolbox, self.agents, allow=["127.0.0.1:*"]
        ).alerts
        self.intake = BarIntake(instruments, bars, clock=lambda: datetime.now(UTC))
        self.market = MarketData(instruments, bars, self.intake, clock=lambda: datetime.now(UTC))
        intake = NewsIntake(instruments, news, HenryRules(), clock=lambda: datetime.now(UTC))
        statement_intake = StatementIntake(instruments, statements, clock=lambda: datetime.now(UTC))
        self.fundamentals = FundamentalsService(
            instruments, bars, statements, statement_intake, clock=lambda: datetime.now(UTC)
        )
        self.news = News(instruments, news, intake, clock=lambda: datetime.now(UTC))
        self.jobs = Jobs(StoredJobs(database), clock=lambda: datetime.now(UTC))
        registry_is_elsewhere: Any = None
        self.training = Training(
            registry_is_elsewhere,
            Datasets(PostgresDatasets(database), instruments, bars, root=Path("datasets")),
            self.jobs,
            StoredTrainings(database),
            recipes=RECIPES,
            backends={"local": LocalBackend},
            root=Path("training"),
            clock=lambda: datetime.now(UTC),
        )
        self.records = MarketRecords(
            instruments, bars, self.intake, clock=lambda: datetime.now(UTC)
        )
        made = PostgresPredictions(database)
        self.registry = ModelDesk(database, self.jobs)
        models: Any = NoModels()
        self.predictions = Predictions(made, models, models, clock=lambda: datetime.now(UTC))
        self.batches = PredictionBatches(
            made, models, models, self.jobs, clock=lambda: datetime.now(UTC)
        )

    def services(self) -> RestServices:
        database = self.database
        return RestServices(
            authenticator=self.authenticator,
            api_keys=ApiKeys(self.accounts),
            agents=self.agents,
            conversations=Conversations(ConversationReads(database)),
            runs=RunReads(RunViews(database), self),
            costs=CostsReport(CostReads(database)),
            market=self.market,
            alerts=self.alerts,
            jobs=self.jobs,
            predictions=self.predictions,
            batches=self.batches,
            training=self.training,
            **self.registry.services(),
            signals=self.signals,
            news=self.news,
            fundamentals=self.fundamentals,
            tools=ToolCalls(self.toolbox, clock=lambda: datetime.now(UTC)),
            charts=Charts(self.instruments, self.bars, clock=lambda: datetime.now(UTC)),
            records=self.records,
            llm=lambda: LLMName(provider="builtin", model="builtin-1", label="built-in", free=True),
            checks={"database": database.check},
        )

    def context(self) -> ToolContext:
        """Return what a tool is told when somebody asks now."""
        return ToolContext(principal_id="somebody", now=datetime.now(UTC))

    async def stop(self, run_id: RunId, principal: Principal) -> bool:
        """Stand in for the supervisor: end the run as cancelled."""
        self.stopped.append(run_id)
        rows = await self.database.write(
            "UPDATE runs SET status = 'cancelled', ended_at = now()"
            " WHERE id = $1 AND status = 'running' RETURNING id",
            run_id,
        )
        return bool(rows)

    async def join(self, name: str, role: Literal["user", "admin"] = "user") -> Principal:
        """Add somebody with an API key that carries every scope."""
        user = await self.accounts.add_user(f"{name}@example.org", role=role, name=name)
        key, secret = await self.accounts.create_key(user.id, name="test", scopes=ALL_SCOPES)
        self.secrets[name], self.key_ids[name] = secret, key.id
        self.people[name] = user.principal("api_key", str(key.id))
        return self.people[name]

    async def prediction_of(self, name: str) -> UUID:
        """Return a prediction that was made for a person."""
        model_id = prediction_id = new_id()
        await self.database.execute(
            "INSERT INTO models (id, name, version, type, framework, architecture, status)"
            " VALUES ($1, 'model', '1', 'regression', 'numpy', 'linear', 'deployed')",
            model_id,
        )
        await self.database.execute(
            "INSERT INTO predictions (id, model_id, user_id, request_id, input_hash, status)"
            " VALUES ($1, $2, $3, 'r', 'h', 'completed')",
            prediction_id,
            model_id,
            self.people[name].user_id,
        )
        return prediction_id

    async def job_of(self, name: str) -> UUID:
        """Return a job that a person has queued."""
        job = await self.jobs.submit(
            "training", title="training", payload={}, owner=self.people[name].user_id
        )
        return job.id

    async def alert_of(self, name: str) -> UUID:
        """Give somebody an alert with a webhook and one episode."""
        await self.instruments.put(Instrument(symbol="GOOG", name="Google", source="a test"))
        wishes = AlertWishes(
            symbol="GOOG",
            condition={"field": "close", "op": ">", "value": 800},
            webhook_url="https://hooks.example.com/x",
        )
        alert = await self.alerts.create(self.people[name], wishes)
        for day, close in ((4, 790.0), (5, 801.0)):
            moment = AlertMoment(
                symbol="GOOG", timeframe="1d", bar_time=datetime(2013, 2, day, tzinfo=UTC),
                now={"close": close}, before=None, signals=(),
            )  # fmt: skip
            await self.alerts.evaluate(moment)
        return alert.id

    def now(self) -> datetime:
        self.minute += 1
        return BEGAN + timedelta(minutes=self.minute)

    async def ask(
        self,
        who: Principal,
        question: str,
        *,
        conversation_id: ConversationId | None = None,
        mode: str = "answer",
        from_message_id: MessageId | None = None,
    ) -> tuple[ConversationId, RunId, MessageId]:
        """Start a run and leave it running."""
        run_id, message_id = RunId(new_id()), MessageId(new_id())
        command = StartRun(
            command_id=str(run_id),
            conversation_id=conversation_id or ConversationId(new_id()),
            run_id=run_id,
            message_id=None if mode == "regenerate" else message_id,
            content=question,
            mode=mode,  # type: ignore[arg-type]
            from_message_id=from_message_id,
        )
        started = await self.runs.start(
            command, who, command_hash=b"\0" * 32, owner="test", now=self.now()
        )
        assert started.run.user_message_id is not None
        return command.conversation_id, run_id, started.run.user_message_id

    async def converse(
        self,
        who: Principal,
        question: str,
        answer: str = "GOOG closed at 806.19 on 1 March 2013; RSI is 68.",
        *,
        conversation_id: ConversationId | None = None,
        claims: Sequence[Claim] = (),
        amount: Decimal | None = Decimal("0.0021"),
        call_id: str = "call-1",
        **start: Any,
    ) -> Answered:
        """Ask, and have it answered with a tool call, a chart, claims and a price."""
        conversation_id, run_id, question_id = await self.ask(
            who, question, conversation_id=conversation_id, **start
        )
        agent_id = await self.database.fetchval("SELECT agent_id FROM runs WHERE id = $1", run_id)
        now = self.now()
        early, late, attachment_id = MessageId(new_id()), MessageId(new_id()), new_id()
        attempt = AttemptId(new_id())
        usage = Usage(input_tokens=700, output_tokens=112, cache_read_tokens=500)
        evidence = {"data": {"close": 806.19}, "asOf": "2013-03-01T00:00:00Z", "summary": "read"}
        last = await self.database.fetchval(
            "SELECT coalesce(max(seq), 0) FROM run_events WHERE conversation_id = $1",
            conversation_id,
        )
        await self.journal.write(
            Batch(
                events=_events(conversation_id, run_id, str(late), answer, first=last + 1),
                reservations=[
                    CostEntry(
                        id=attempt,
                        run_id=run_id,
                        conversation_id=conversation_id,
                        user_id=who.user_id,
                        agent_id=AgentId(agent_id),
                        provider="openai",
                        model="m-1",
                        status="reserved",
                        outcome="pending",
                        usage=Usage(),
                        reserved_usd=Decimal("0.5"),
                        amount_usd=None,
                        estimated=False,
                        latency_ms=0,
                        created_at=now,
                    )
                ],
                settlements=[
                    CostSettlement(
                        id=attempt,
                        outcome="succeeded",
                        usage=usage,
                        amount_usd=amount,
                        estimated=False,
                        latency_ms=1900,
                        settled_at=now,
                    )
                ],
                messages=[
                    _message(early, conversation_id, run_id, question_id, "Let me look.", now),
                    _message(late, conversation_id, run_id, early, answer, now, cost=amount),
                ],
                tool_calls=[
                    NewToolCall(
                        id=new_id(),
                        message_id=late,
                        run_id=run_id,
                        position=0,
                        call_id=call_id,
                        tool_name="quotes",
                        input={"symbol": "GOOG"},
                        output=evidence,
                        duration_ms=12,
                        status="success",
                    )
                ],
                attachments=[
                    NewAttachment(
                        id=attachment_id,
                        message_id=late,
                        type="chart",
                        url=f"/api/v1/messages/{late}/attachments/{attachment_id}",
                        mime_type="application/vnd.outcry.card+json",
                        size=2,
                        content={"activityType": "chart.candles", "content": CHART},
                    )
                ],
                claims=[NewClaim(message_id=late, claim=claim) for claim in claims],
                run_ends=[
                    RunEnd(
                        run_id=run_id,
                        conversation_id=conversation_id,
                        status="finished",
                        ended_at=now,
                        usage=usage,
                        receipt=_receipt(usage, amount),
                    )
                ],
            )
        )
        return Answered(conversation_id, run_id, question_id, late, attachment_id, list(claims))


def _receipt(usage: Usage, amount: Decimal | None) -> Receipt:
    return Receipt(
        amount=str(amount or 0),
        currency="USD",
        priced=amount is not None,
        estimated=False,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens,
        attempts=1,
        duration_ms=1900,
        provider="openai",
        model="m-1",
    )


def _message(
    message_id: MessageId,
    conversation_id: ConversationId,
    run_id: RunId,
    parent_id: MessageId,
    content: str,
    now: datetime,
    *,
    cost: Decimal | None = None,
) -> NewMessage:
    return NewMessage(
        id=message_id,
        conversation_id=conversation_id,
        run_id=run_id,
        parent_id=parent_id,
        role="assistant",
        content=content,
        timestamp=now,
        tokens=112 if cost else 0,
        cost=cost,
    )


def _events(
    conversation_id: ConversationId, run_id: RunId, message_id: str, answer: str, *, first: int
) -> list[StoredEvent]:
    tool = msgspec.json.encode(ToolCallStarted(tool_call_id="call-1", tool_call_name="quotes"))
    said: list[tuple[str, str, str | None]] = [
        ("TOOL_CALL_START", tool.decode(), None),
        *[("TEXT_MESSAGE_CONTENT", word + " ", message_id) for word in answer.split(" ")[:5]],
        ("RUN_FINISHED", '{"type":"RUN_FINISHED","metadata":{"outcry":{"messageId":"m"}}}', None),
    ]
    return [
        StoredEvent(conversation_id, first + number, run_id, kind, payload, about)
        for number, (kind, payload, about) in enumerate(said)
    ]


class Clients:
    """Clients of one app, by person."""

    def __init__(self, app: Litestar, desk: Desk) -> None:
        self.app = app
        self._desk = desk
        self._open: list[httpx.AsyncClient] = []

    def client(self, name: str | None) -> httpx.AsyncClient:
        """Return a client that sends this person's key, or none."""
        headers = {"authorization": f"Bearer {self._desk.secrets[name]}"} if name else {}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),  # type: ignore[arg-type]  # ASGI, typed apart
            base_url="http://127.0.0.1:8000/api/v1",
            headers=headers,
        )
        self._open.append(client)
        return client

    async def aclose(self) -> None:
        for client in self._open:
            await client.aclose()
