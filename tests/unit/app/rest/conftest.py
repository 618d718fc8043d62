"""The REST door on in-process parts: real market data, a ring of keys instead of a database."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.domain.errors import Unauthenticated
from app.domain.ids import UserId
from app.domain.principal import ALL_SCOPES, Principal, Scope
from app.rest.door import RestDoor, RestServices
from app.rest.me import LLMName
from app.security.origins import AllowedOrigins
from app.services.accounts import ApiKeys
from app.services.agents import Agents
from app.services.conversations import Conversations
from app.services.costs_report import CostsReport
from app.services.market import MarketData
from app.services.run_reads import RunReads
from tools.market.demo import vendored_market
from tools.registry import ToolBox

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def principal(
    role: str = "user", scopes: frozenset[Scope] = ALL_SCOPES, number: int = 1
) -> Principal:
    return Principal(
        user_id=UserId(UUID(int=number)),
        email=f"{role}{number}@example.org",
        name=role.title(),
        role=role,  # type: ignore[arg-type]
        scopes=scopes,
        credential="session",
        credential_id=f"session-{number}",
    )


@dataclass(frozen=True)
class Opened:
    principal: Principal
    token: str
    expires_at: datetime


@dataclass
class Ring:
    """An authenticator that knows these tokens, and counts who was signed out."""

    cookies: dict[str, Principal] = field(default_factory=dict)
    keys: dict[str, Principal] = field(default_factory=dict)
    password: str = "correct horse"
    signed_out: list[Principal] = field(default_factory=list)

    async def authenticate(
        self, *, cookie: str | None, bearer: str | None, address: str
    ) -> Principal | None:
        if bearer is not None:
            return self.keys.get(bearer)
        return self.cookies.get(cookie or "")

    async def login(
        self, email: str, password: str, address: str, *, user_agent: str | None = None
    ) -> Opened:
        if password != self.password:
            raise Unauthenticated("The e-mail or the password is wrong.")
        return self._open(principal())

    async def redeem_link(
        self, token: str, address: str, *, user_agent: str | None = None
    ) -> Opened:
        if token != "one-time":
            raise Unauthenticated("This link is not known, or was used before.")
        return self._open(principal("admin", number=2))

    async def logout(self, who: Principal) -> None:
        self.signed_out.append(who)

    def _open(self, who: Principal) -> Opened:
        self.cookies["fresh"] = who
        return Opened(who, "fresh", datetime.now(UTC) + timedelta(days=1))


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
    return RestServices(
        authenticator=ring,
        api_keys=ApiKeys(absent),
        agents=Agents(absent, tools=tuple, prompts=tmp_path, clock=lambda: NOW),
        conversations=Conversations(absent),
        runs=RunReads(absent, absent),
        costs=CostsReport(absent),
        market=MarketData(market, market, ToolBox([]), clock=lambda: NOW),
        origins=AllowedOrigins(public_url="http://desk.example", listed=["https://other.example"]),
        llm=lambda: LLMName(provider="builtin", model="builtin-1", label="built-in", free=True),
    )


Open = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def open_client(services: RestServices) -> AsyncIterator[Open]:
    """Return a maker of clients; keywords replace services."""
    clients: list[httpx.AsyncClient] = []

    def make(*, key: str | None = None, **changed: Any) -> httpx.AsyncClient:
        app = Litestar(plugins=[RestDoor(replace(services, **changed))])
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://desk.example",
            headers={"authorization": f"Bearer {key}"} if key else {},
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()
