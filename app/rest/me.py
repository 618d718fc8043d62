"""`/me`: who I am, what answers me, and the keys I gave to programs."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from app.domain.principal import Principal, Scope
from app.domain.views import ApiKeyView
from app.rest.auth import view_of
from app.rest.requests import Body
from app.rest.sign_in import may_read, may_write, signed_in
from app.services.accounts import ApiKeys, NewApiKey
from app.services.paging import Page


class LLMName(msgspec.Struct, frozen=True):
    """What agents think with today."""

    provider: str
    model: str
    label: str
    free: bool


class Me(msgspec.Struct, frozen=True, rename="camel"):
    """The principal and what answers it."""

    user_id: str
    email: str
    name: str
    role: str
    scopes: list[str]
    llm: LLMName


class NewKey(Body, frozen=True):
    """What an API key is made from."""

    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None


class NewKeyMade(msgspec.Struct, frozen=True, rename="camel"):
    """A new key; `key` is shown this once."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    key: str


class MeController(Controller):
    """The caller."""

    path = "/me"
    tags = ("Signing in",)

    @get("/", guards=[signed_in], summary="Who is signed in")
    async def me(
        self,
        principal: NamedDependency[Principal],
        llm: SkipValidation[NamedDependency[Callable[[], LLMName]]],
    ) -> Me:
        """Return the principal and the LLM that agents think with."""
        who = view_of(principal)
        return Me(
            user_id=who.user_id,
            email=who.email,
            name=who.name,
            role=who.role,
            scopes=who.scopes,
            llm=llm(),
        )

    @get("/api-keys", guards=[may_read], summary="My API keys")
    async def keys(
        self, principal: NamedDependency[Principal], api_keys: NamedDependency[ApiKeys]
    ) -> Page[ApiKeyView]:
        """Return the keys that have not been revoked, newest first; never their secrets."""
        return Page(await api_keys.all(principal))

    @post("/api-keys", guards=[may_write], summary="Make an API key")
    async def make_key(
        self,
        data: JSONBody[NewKey],
        principal: NamedDependency[Principal],
        api_keys: NamedDependency[ApiKeys],
    ) -> NewKeyMade:
        """Return a new key with its secret, which is not kept."""
        wish = NewApiKey(name=data.name, scopes=tuple(data.scopes), expires_at=data.expires_at)
        made, secret = await api_keys.create(principal, wish, now=datetime.now(UTC))
        return NewKeyMade(
            id=made.id,
            name=made.name,
            prefix=made.prefix,
            scopes=made.scopes,
            created_at=made.created_at,
            expires_at=made.expires_at,
            key=secret,
        )

    @delete("/api-keys/{key_id:uuid}", guards=[may_write], summary="Revoke an API key")
    async def revoke_key(
        self,
        key_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        api_keys: NamedDependency[ApiKeys],
    ) -> None:
        """Revoke the key at once."""
        await api_keys.revoke(principal, key_id)
