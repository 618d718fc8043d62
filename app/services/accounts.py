"""Signing in and out, and the API keys somebody hands to programs."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.errors import Forbidden, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.principal import ALL_SCOPES, Principal, Scope
from app.domain.text import clean_text
from app.domain.views import ApiKeyView

MAX_KEYS = 100


class SignedIn(Protocol):
    """What signing in gives: who it is, and the cookie's value with its end."""

    @property
    def principal(self) -> Principal: ...

    @property
    def token(self) -> str: ...

    @property
    def expires_at(self) -> datetime: ...


class ApiKeyStore(Protocol):
    """API keys. A key's secret leaves `create` once and is not kept."""

    async def list_keys(self, user_id: UserId) -> list[ApiKeyView]:
        """Return the keys that have not been revoked, newest first."""
        ...

    async def create_key(
        self,
        user_id: UserId,
        *,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None,
    ) -> tuple[ApiKeyView, str]:
        """Return a new key and its secret."""
        ...

    async def revoke_key(self, user_id: UserId, key_id: UUID) -> bool:
        """Revoke a key at once; False when there is no such key."""
        ...


class NewApiKey(msgspec.Struct, frozen=True):
    """What an API key is made from."""

    name: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None


class ApiKeys:
    """The use cases."""

    def __init__(self, store: ApiKeyStore) -> None:
        self._store = store

    async def all(self, principal: Principal) -> list[ApiKeyView]:
        """Return the caller's keys that have not been revoked, newest first."""
        return await self._store.list_keys(principal.user_id)

    async def create(
        self, principal: Principal, new: NewApiKey, *, now: datetime
    ) -> tuple[ApiKeyView, str]:
        """Make a key that can do no more than the credential that asks for it.

        Raises:
            Forbidden: it asks for a scope that the caller does not have.
            Invalid: the name, the scopes or the end cannot be used.
        """
        name = " ".join(clean_text(new.name).split())
        if not 1 <= len(name) <= 80:
            raise Invalid(f"`name` must have 1 to 80 characters; it has {len(name)}.")
        scopes = frozenset(new.scopes)
        if not scopes:
            raise Invalid(f"`scopes` must name at least one of {', '.join(sorted(ALL_SCOPES))}.")
        denied = sorted(scope for scope in scopes if not principal.may(scope))
        if denied:
            raise Forbidden(
                f"You cannot give a key the scope {', '.join(denied)}: it is not yours."
            )
        if new.expires_at is not None and (new.expires_at.tzinfo is None or new.expires_at <= now):
            raise Invalid("`expiresAt` must be a moment in the future, with its zone.")
        if len(await self._store.list_keys(principal.user_id)) >= MAX_KEYS:
            raise Invalid(f"You have {MAX_KEYS} keys already; revoke one first.")
        return await self._store.create_key(
            principal.user_id, name=name, scopes=scopes, expires_at=new.expires_at
        )

    async def revoke(self, principal: Principal, key_id: UUID) -> None:
        """Revoke one of the caller's keys.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        if not await self._store.revoke_key(principal.user_id, key_id):
            raise NotFound("There is no such API key.")
