"""One process that has alerts, on a real Postgres with the shipped prices."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.domain.principal import Principal
from app.storage.engine import Database
from app.storage.liveness import stay_alive
from tests.integration.alerts.alert_desk import AlertsAt, Given, agents_of
from tests.integration.runs.conftest import Process
from tests.integration.storage.desk import Desk
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.registry import ToolBox

PROMPTS = Path(__file__).parents[3] / "agents" / "prompts"


class Server:
    """One server process, as far as runs and alerts are concerned."""

    def __init__(self, database: Database, owner: Principal) -> None:
        self.process = Process(database, owner)
        self.given = Given()
        market = self.market = vendored_market()
        toolbox = ToolBox(market_tools(market, market))
        agents = agents_of(database, toolbox, PROMPTS)
        runs = self.process.runs
        self.at = AlertsAt(
            database,
            (market, market),
            runs,
            toolbox,
            agents,
            moments=self.given,
            allow=["127.0.0.1:*"],
        )
        self.strict = AlertsAt(
            database, (market, market), runs, toolbox, agents, moments=self.given
        )
        """The same alerts, where nothing but the public web may be sent to."""
        self.on_prices = AlertsAt(database, (market, market), runs, toolbox, agents)
        """The same alerts, where moments come from the shipped prices."""


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(database)
    await desk.agent()
    return desk


@pytest.fixture
async def ann(desk: Desk) -> Principal:
    return await desk.user("ann@example.test")


@pytest.fixture
async def bob(desk: Desk) -> Principal:
    return await desk.user("bob@example.test")


@pytest.fixture
async def start(database: Database, ann: Principal) -> AsyncIterator[Callable[[], object]]:
    """Start another server process on the same database."""
    async with AsyncExitStack() as stack:

        async def start() -> Server:
            server = Server(database, ann)
            process = server.process
            await stack.enter_async_context(process.journal_store)
            await stack.enter_async_context(process.journal)
            await stack.enter_async_context(stay_alive(process.owner, database.connect))
            stack.push_async_callback(process.runs.close)
            return server

        yield start


@pytest.fixture
async def server(start: Callable[[], object]) -> Server:
    server = await start()  # type: ignore[misc]
    assert isinstance(server, Server)
    return server
