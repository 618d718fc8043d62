"""Opens everything but the doors in order, and closes it in reverse."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from agents.errors import LLMError
from agents.llms.builtin.model import BuiltinLLM
from agents.llms.catalog import Catalog, LLMEnvironment, Selection
from agents.runner import Runner
from app.domain.accounts import User
from app.domain.agents import Agent
from app.domain.ids import new_id
from app.security.authenticator import Authenticator
from app.security.passwords import Passwords
from app.security.people import People, utc_now
from app.security.sealing import Sealer, load_secret_key
from app.services.agents import Agents
from app.services.conversations.conversations import Conversations
from app.services.conversations.costs_report import CostsReport
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recovery import recover
from app.services.conversations.run_reads import RunReads
from app.services.conversations.runs import Runs
from app.services.experiments.experiments import Experiments
from app.services.jobs import Jobs
from app.services.ports import Publisher
from app.settings import Settings, SettingsError
from app.storage.accounts import Accounts
from app.storage.agent_reads import AgentReads
from app.storage.conversation_reads import ConversationReads
from app.storage.cost_reads import CostReads
from app.storage.engine import Database
from app.storage.events import StoredEvents, StoredOwners
from app.storage.experiments import StoredExperiments
from app.storage.jobs import StoredJobs
from app.storage.journal_store import PostgresJournal
from app.storage.liveness import new_owner, stay_alive
from app.storage.orphans import Orphans
from app.storage.run_reads import RunViews
from app.storage.runs import StoredRuns
from app.storage.secrets import StoredSecrets
from app.wiring.alerts import AlertDesk, open_alerts
from app.wiring.connections import model_connections
from app.wiring.database import OpenDatabase, Progress, open_database
from app.wiring.datasets import DatasetDesk, open_datasets
from app.wiring.engine import EngineDesk, open_engine
from app.wiring.features import FeatureDesk, open_feature_store, open_features
from app.wiring.live import Sockets
from app.wiring.market import MarketDesk, open_market
from app.wiring.model_watch import ModelWatchDesk, open_model_watch
from app.wiring.predictions import PredictionDesk, open_predictions
from app.wiring.registry import RegistryDesk, open_registry
from app.wiring.training import TrainingDesk, open_training

log = structlog.get_logger(__name__)

PROMPTS = Path(__file__).resolve().parents[2] / "agents" / "prompts"
_RECOVERY_INTERVAL_S = 60.0


class Desk(msgspec.Struct, kw_only=True):
    """Everything that is open, for the doors and the terminal."""

    settings: Settings
    database: Database
    database_label: str
    owner: User
    """The first admin: whoever runs this desk."""
    people: People
    authenticator: Authenticator
    secrets: StoredSecrets
    agents: Agents
    conversations: Conversations
    costs: CostsReport
    market: MarketDesk
    engine: EngineDesk
    registry: RegistryDesk
    predictions: PredictionDesk
    experiments: Experiments
    model_watch: ModelWatchDesk
    alerts: AlertDesk
    jobs: Jobs
    """Whoever serves, or is a worker, enters it; others only queue and read."""
    training: TrainingDesk
    datasets: DatasetDesk
    features: FeatureDesk
    catalog: Catalog
    journal: Journal
    runs: Runs
    run_reads: RunReads
    runner: Runner
    events: StoredEvents
    owners: StoredOwners
    _background: set[asyncio.Task[None]]

    def llm(self) -> Selection:
        """Return what agents that name no LLM think with."""
        return self.catalog.select()

    async def check_journal(self) -> None:
        """Raise when the journal cannot write."""
        if wrong := self.journal.check():
            raise RuntimeError(wrong)

    def spawn(self, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Do something beside serving; it is cancelled when the desk closes."""

        async def guarded() -> None:
            try:
                await work()
            except Exception:
                log.exception("background.failed", task=name)

        task = asyncio.create_task(guarded(), name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def load_demo_prices(self, on_progress: Progress) -> None:
        """Bring the fetched demo prices up to date; the shipped ones are there already."""
        await self.market.load_demo(on_progress, allow_fetch=self.settings.demo_fetch)
        self.market.signals.look_again()


@asynccontextmanager
async def open_desk(
    settings: Settings,
    publisher: Publisher,
    *,
    on_progress: Progress,
    sockets: Sockets | None = None,
    opened: OpenDatabase | None = None,
) -> AsyncIterator[Desk]:
    """Open everything but the doors; without `sockets` there are none.

    `opened` is a database that is open already, which its owner closes.
    """
    async with AsyncExitStack() as stack:
        if opened is None:
            opened = await stack.enter_async_context(
                open_database(settings, on_progress=on_progress)
            )
        database, label = opened
        accounts, passwords = Accounts(database), Passwords()
        people = People(accounts, passwords)
        owner = await people.ensure_owner(settings.admin_email, settings.admin_password)
        sealer = Sealer(load_secret_key(settings.secret_key, settings.data_dir))
        secrets = StoredSecrets(database, sealer)
        # Finishes a change of OUTCRY_SECRET_KEY, and refuses a wrong one before anything is served.
        await secrets.rotate()

        environment = await llm_environment(settings, secrets)
        catalog = Catalog(environment, builtin=BuiltinLLM())
        stack.push_async_callback(catalog.aclose)
        prices = PriceBook(redirected=catalog.redirected)
        connections = model_connections(environment)
        engine = await stack.enter_async_context(
            open_engine(settings, database, connections=connections, prices=prices)
        )
        jobs = Jobs(StoredJobs(database), clock=utc_now)
        registry = open_registry(settings, engine, jobs)
        experiments = Experiments(StoredExperiments(database), engine.models, clock=utc_now)
        datasets = open_datasets(settings, database, sealer, jobs)
        stored = open_feature_store(settings, database, datasets)
        predictions = await stack.enter_async_context(
            open_predictions(
                database,
                engine.models,
                engine.bundles,
                engine.routed,
                jobs,
                experiments,
                prices,
                stored.inputs,
            )
        )
        market = await stack.enter_async_context(
            open_market(
                settings,
                database,
                sockets,
                on_progress=on_progress,
                forecasts=predictions.forecasts,
                engine=engine.routed,
            )
        )
        market.intake.listeners += [
            predictions.features.bars_stored,
            predictions.settlement.bars_stored,
        ]
        agents = Agents(
            AgentReads(database), tools=market.toolbox.specs, prompts=PROMPTS, clock=utc_now
        )
        await agents.ensure_defaults()
        await _prepare(catalog)

        process = new_owner(new_id())
        await stack.enter_async_context(stay_alive(process, database.connect))
        journal_store = await stack.enter_async_context(PostgresJournal(database))
        journal = await stack.enter_async_context(Journal(journal_store, publisher))
        events, runner = StoredEvents(database), Runner(market.toolbox)
        runs = Runs(
            StoredRuns(database),
            journal,
            runner,
            prices,
            owner=process,
            llm_for=lambda agent: _llm_of(agent, catalog),
        )
        stack.push_async_callback(runs.close)
        alerts = await stack.enter_async_context(
            open_alerts(
                settings,
                database,
                sealer,
                market=market,
                agents=agents,
                runs=runs,
                notices=market.live if sockets else None,
            )
        )
        desk = Desk(
            settings=settings,
            database=database,
            database_label=label,
            owner=owner,
            people=people,
            authenticator=Authenticator(accounts, passwords),
            secrets=secrets,
            agents=agents,
            conversations=Conversations(ConversationReads(database)),
            costs=CostsReport(CostReads(database)),
            market=market,
            engine=engine,
            registry=registry,
            predictions=predictions,
            experiments=experiments,
            model_watch=open_model_watch(database, engine, market.bars, experiments, market.live),
            alerts=alerts,
            jobs=jobs,
            training=open_training(settings, database, engine=engine, market=market, jobs=jobs),
            datasets=datasets,
            features=open_features(stored, market=market, datasets=datasets, jobs=jobs),
            catalog=catalog,
            journal=journal,
            runs=runs,
            run_reads=RunReads(RunViews(database), runs),
            runner=runner,
            events=events,
            owners=StoredOwners(database),
            _background=set(),
        )
        stack.push_async_callback(_cancel, desk._background)
        orphans = Orphans(database, owner=process, is_running=runs.is_running)

        async def recover_orphans() -> None:
            await _recover_now_and_then(orphans, events, journal, prices)

        desk.spawn(recover_orphans, "recovery")
        yield desk


async def _prepare(catalog: Catalog) -> None:
    try:
        await catalog.prepare()
    except LLMError as error:
        raise SettingsError(
            f"{error}. It has to be there at the start, to say which model it serves; or name one "
            "in OUTCRY_MODEL."
        ) from error


def _llm_of(agent: Agent, catalog: Catalog) -> Selection:
    return catalog.select(agent.config.llm_provider, agent.config.llm_model)


async def _recover_now_and_then(
    orphans: Orphans, events: StoredEvents, journal: Journal, prices: PriceBook
) -> None:
    while True:
        try:
            await recover(orphans, events, journal, prices)
        except Exception:
            log.exception("recovery.failed")
        await asyncio.sleep(_RECOVERY_INTERVAL_S)


async def llm_environment(settings: Settings, secrets: StoredSecrets) -> LLMEnvironment:
    """Return what may choose the LLM: the environment first, then sealed keys."""
    return LLMEnvironment(
        openai_api_key=settings.openai_api_key or await secrets.get("OPENAI_API_KEY"),
        openai_base_url=settings.openai_base_url,
        anthropic_api_key=settings.anthropic_api_key or await secrets.get("ANTHROPIC_API_KEY"),
        anthropic_base_url=settings.anthropic_base_url,
        vllm_base_url=settings.vllm_base_url,
        vllm_api_key=settings.vllm_api_key or await secrets.get("VLLM_API_KEY"),
        model=settings.llm_model,
    )


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting, timeout=5)
