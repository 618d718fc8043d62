"""What the REST door stands on in these tests: a ring of keys instead of a database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from app.domain.errors import Unauthenticated
from app.domain.ids import UserId
from app.domain.principal import ALL_SCOPES, Principal, Scope

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

    async def by_api_key(self, key: str) -> Principal | None:
        return self.keys.get(key)

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


Open = Callable[..., httpx.AsyncClient]
