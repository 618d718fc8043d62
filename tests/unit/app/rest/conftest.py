"""The REST door on in-process parts: real market data, a ring of keys instead of a database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.rest.door import RestDoor, RestServices
from app.rest.me import LLMName
from app.security.origins import AllowedOrigins
from app.services.accounts import ApiKeys
from app.services.agents import Agents
from app.services.conversations.conversations import Conversations
from app.services.conversations.costs_report import CostsReport
from app.services.conversations.run_reads import RunReads
from app.services.market.bar_intake import BarIntake
from app.services.market.charts import Charts
from app.services.market.fundamentals import FundamentalsService, StatementIntake
from app.services.market.market import MarketData
from app.services.market.market_records import MarketRecords
from app.services.news.news import News, NewsIntake
from app.services.signals.signal_memory import InProcessSignals
from app.services.signals.signals import SignalBook
from app.services.tool_calls import ToolCalls
from tests.unit.app.rest.in_process import NOW, Open, Ring, principal
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements
from tools.market.news import InProcessNews
from tools.market.scorer import HenryRules
from tools.registry import ToolBox


@pytest.fixture
def ring() -> Ring:
    return Ring(
        cookies={"user": principal(), "admin": principal("admin", number=2)},
        keys={
            "all": principal(),
            "admin": principal("admin", number=2),
            "chat": principal(scopes=frozenset({"chat"})),
            "read": principal(scopes=frozenset({"read"})),
            "user-with-admin-scope": principal(scopes=frozenset({"admin"})),
        },
    )


@pytest.fixture
def services(ring: Ring, tmp_path: Path) -> RestServices:
    """Stores that a test does not use are left out; touching one is an error."""
    absent: Any = None
    market = vendored_market()
    intake = BarIntake(market, market, clock=lambda: NOW)
    news = InProcessNews()
    news_intake = NewsIntake(market, news, HenryRules(), clock=lambda: NOW)
    statements = InProcessStatements()
    statement_intake = StatementIntake(market, statements, clock=lambda: NOW)
    box = ToolBox(market_tools(market, market))
    return RestServices(
        authenticator=ring,
        api_keys=ApiKeys(absent),
        agents=Agents(absent, tools=tuple, prompts=tmp_path, clock=lambda: NOW),
        conversations=Conversations(absent),
        runs=RunReads(absent, absent),
        costs=CostsReport(absent),
        market=MarketData(market, market, intake, clock=lambda: NOW),
        signals=SignalBook(InProcessSignals(market, market), market, market, clock=lambda: NOW),
        fundamentals=FundamentalsService(
            market, market, statements, statement_intake, clock=lambda: NOW
        ),
        alerts=absent,
        jobs=absent,
        models=absent,
        model_files=absent,
        model_imports=absent,
        experiments=absent,
        model_health=absent,
        engine_views=absent,
        model_alarms=absent,
        datasets=absent,
        collecting=absent,
        features=absent,
        materializing=absent,
        predictions=absent,
        batches=absent,
        training=absent,
        news=News(market, news, news_intake, clock=lambda: NOW),
        tools=ToolCalls(box, clock=lambda: NOW),
        charts=Charts(market, market, clock=lambda: NOW),
        records=MarketRecords(market, market, intake, clock=lambda: NOW),
        origins=AllowedOrigins(public_url="http://desk.example", listed=["https://other.example"]),
        llm=lambda: LLMName(provider="builtin", model="builtin-1", label="built-in", free=True),
    )


@pytest.fixture
async def open_client(services: RestServices) -> AsyncIterator[Open]:
    """Return a maker of clients; keywords replace services."""
    clients: list[httpx.AsyncClient] = []

    def make(*, key: str | None = None, **changed: Any) -> httpx.AsyncClient:
        app = Litestar(plugins=[RestDoor(replace(services, **changed))])
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),  # type: ignore[arg-type]  # ASGI, typed apart
            base_url="http://desk.example",
            headers={"authorization": f"Bearer {key}"} if key else {},
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()
