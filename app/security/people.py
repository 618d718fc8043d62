"""Make users, passwords, sign-in links and API keys: what leaves here once is stored as a hash."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from app.domain.accounts import User, plain_email
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId, new_id
from app.domain.principal import Scope
from app.domain.text import clean_text
from app.domain.views import ApiKeyView
from app.security.passwords import Passwords
from app.security.tokens import hash_token, new_api_key, new_token, shown_part

Clock = Callable[[], datetime]

LINK_LIFETIME = timedelta(days=1)
_OWNER_EMAIL = "owner@localhost"
_ORDERED_SCOPES: tuple[Scope, ...] = ("chat", "read", "write", "admin")


def utc_now() -> datetime:
    """Return the wall clock, UTC."""
    return datetime.now(UTC)


class PeopleStore(Protocol):
    """Where people are kept; `app.storage.accounts.Accounts`."""

    async def add_user(
        self,
        *,
        email: str,
        name: str,
        role: Literal["user", "admin"],
        password_hash: str | None,
        now: datetime,
    ) -> User: ...

    async def users(self) -> list[User]: ...

    async def find_user(self, email: str) -> User | None: ...

    async def set_password(
        self, user_id: UserId, password_hash: str, *, end_sessions_at: datetime | None
    ) -> None: ...

    async def add_link(
        self, user_id: UserId, *, token_hash: bytes, expires_at: datetime
    ) -> None: ...

    async def keys(self, user_id: UserId) -> list[ApiKeyView]: ...

    async def add_key(self, user_id: UserId, key: ApiKeyView, *, key_hash: bytes) -> None: ...

    async def revoke_key(self, user_id: UserId, key_id: UUID, *, now: datetime) -> bool: ...


class People:
    """The use cases."""

    def __init__(self, store: PeopleStore, passwords: Passwords, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def ensure_owner(self, email: str | None, password: str | None) -> User:
        """Return the configured admin, made now if there is no such user.

        Without an address, the desk's oldest admin; one called `owner@localhost` is made if there
        is none, who signs in by link.
        """
        if email is None:
            admins = [user for user in await self._store.users() if user.role == "admin"]
            if admins:
                return admins[0]
            email = _OWNER_EMAIL
        found = await self._store.find_user(plain_email(email))
        if found is not None:
            return found
        try:
            return await self.add_user(email, role="admin", password=password)
        except Conflict:
            # Another process that starts for the first time was quicker.
            return await self._existing(email)

    async def add_user(
        self,
        email: str,
        *,
        role: Literal["user", "admin"] = "user",
        name: str = "",
        password: str | None = None,
    ) -> User:
        """Add somebody; without a password they sign in by link.

        Raises:
            Conflict: there is such a user already.
            Invalid: the address or password cannot be used.
        """
        address = plain_email(clean_text(email))
        before, at, after = address.rpartition("@")
        if not (before and at and after) or any(c.isspace() for c in address) or len(address) > 254:
            raise Invalid(f"{email!r} is not an e-mail address.", code="email")
        hashed = None if password is None else await self._passwords.hash(password)
        return await self._store.add_user(
            email=address,
            name=" ".join(clean_text(name).split()) or before,
            role=role,
            password_hash=hashed,
            now=self._clock(),
        )

    async def set_password(self, email: str, password: str) -> User:
        """Replace somebody's password and end all their sessions.

        Raises:
            NotFound: there is no such user.
            Invalid: the password cannot be used.
        """
        user = await self._existing(email)
        hashed = await self._passwords.hash(password)
        await self._store.set_password(user.id, hashed, end_sessions_at=self._clock())
        return user

    async def new_sign_in_link(
        self, user_id: UserId, *, lifetime: timedelta = LINK_LIFETIME
    ) -> str:
        """Return the token of a link that signs this user in once."""
        token = new_token()
        await self._store.add_link(
            user_id, token_hash=hash_token(token), expires_at=self._clock() + lifetime
        )
        return token

    async def _existing(self, email: str) -> User:
        user = await self._store.find_user(plain_email(email))
        if user is None:
            raise NotFound(f"There is no user {email}.")
        return user

    # --- API keys -----------------------------------------------------------------------------

    async def list_keys(self, user_id: UserId) -> list[ApiKeyView]:
        """Return the keys that have not been revoked, newest first."""
        return await self._store.keys(user_id)

    async def create_key(
        self,
        user_id: UserId,
        *,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None = None,
    ) -> tuple[ApiKeyView, str]:
        """Return a new key and its secret, which is not kept."""
        secret = new_api_key()
        key = ApiKeyView(
            id=new_id(),
            name=clean_text(name),
            prefix=shown_part(secret),
            scopes=tuple(scope for scope in _ORDERED_SCOPES if scope in scopes),
            created_at=self._clock(),
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        await self._store.add_key(user_id, key, key_hash=hash_token(secret))
        return key, secret

    async def revoke_key(self, user_id: UserId, key_id: UUID) -> bool:
        """Revoke a key; False when there is no such key."""
        return await self._store.revoke_key(user_id, key_id, now=self._clock())
