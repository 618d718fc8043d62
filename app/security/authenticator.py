"""Tell who asks: by session cookie, API key, password or one-time link.

What was found is believed for at most a second, so a revoked credential stops working within that
time in every process; in this one, at once.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.accounts import User, plain_email
from app.domain.errors import Unauthenticated
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.security.lockout import Lockout
from app.security.passwords import Passwords
from app.security.people import Clock, utc_now
from app.security.tokens import KEY_PREFIX, hash_token, may_be_token, new_token

SESSION_LIFETIME = timedelta(days=30)
BELIEVED_S = 1.0
_REMEMBERED = 10_000


class CredentialStore(Protocol):
    """Where credentials are kept; `app.storage.accounts.Accounts`."""

    async def password_of(self, email: str) -> tuple[User, str | None] | None: ...

    async def set_password(
        self, user_id: UserId, password_hash: str, *, end_sessions_at: datetime | None
    ) -> None: ...

    async def open_session(
        self,
        user_id: UserId,
        *,
        token_hash: bytes,
        user_agent: str | None,
        now: datetime,
        expires_at: datetime,
    ) -> UUID: ...

    async def revoke_session(self, session_id: UUID, *, now: datetime) -> bool: ...

    async def consume_link(self, token_hash: bytes, *, now: datetime) -> User | None: ...

    async def by_session(self, token_hash: bytes, *, now: datetime) -> Principal | None: ...

    async def by_key(self, key_hash: bytes, *, now: datetime) -> Principal | None: ...

    async def recheck(
        self, principals: Sequence[Principal], *, now: datetime
    ) -> list[Principal | None]: ...


class SignedIn(msgspec.Struct, frozen=True):
    """A session that was just opened."""

    principal: Principal
    token: str
    """The cookie's value; it is not kept here."""
    expires_at: datetime

    def __repr__(self) -> str:
        return f"SignedIn({self.principal!r})"


class Authenticator:
    """Serves every door."""

    def __init__(
        self,
        store: CredentialStore,
        passwords: Passwords,
        *,
        lockout: Lockout | None = None,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._lockout = lockout or Lockout()
        self._clock = clock
        self._monotonic = monotonic
        self._believed: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._asking: dict[bytes, tuple[float, asyncio.Task[Principal | None]]] = {}
        self._forgotten = 0

    # --- who is it? ---------------------------------------------------------------------------

    async def authenticate(
        self, *, cookie: str | None, bearer: str | None, address: str
    ) -> Principal | None:
        """Return who a credential speaks for; None when it is wrong, revoked or too old.

        A bearer that was sent decides alone: a cookie never makes up for a wrong key.
        """
        if bearer is not None:
            return await self.by_api_key(bearer)
        return None if cookie is None else await self.by_session(cookie)

    async def by_session(self, token: str) -> Principal | None:
        """Return whose session cookie this is; None if it is unknown, expired or revoked."""
        if not may_be_token(token) or token.startswith(KEY_PREFIX):
            return None
        return await self._believe(b"session" + hash_token(token), token, key=False)

    async def by_api_key(self, key: str) -> Principal | None:
        """Return for whom this key acts; None if it is unknown, expired or revoked."""
        if not may_be_token(key) or not key.startswith(KEY_PREFIX):
            return None
        return await self._believe(b"key" + hash_token(key), key, key=True)

    async def recheck(self, principals: Sequence[Principal]) -> list[Principal | None]:
        """Return each principal with the rights it has now; None where the credential is gone."""
        return await self._store.recheck(principals, now=self._clock())

    async def _believe(self, name: bytes, token: str, *, key: bool) -> Principal | None:
        now = self._monotonic()
        if (known := self._believed.get(name)) is not None:
            if known[0] > now:
                return known[1]
            del self._believed[name]
        asked_at, asking = self._asking.get(name, (now, None))
        if asking is None or now >= asked_at + BELIEVED_S:
            # Many requests come with the same credential at once: one of them looks it up.
            asking = asyncio.create_task(self._look_up(name, token, key=key, asked_at=now))
            self._asking[name] = (now, asking)
            asking.add_done_callback(lambda done: self._looked_up(name, done))
        return await asyncio.shield(asking)

    async def _look_up(
        self, name: bytes, token: str, *, key: bool, asked_at: float
    ) -> Principal | None:
        forgotten = self._forgotten
        find = self._store.by_key if key else self._store.by_session
        principal = await find(hash_token(token), now=self._clock())
        if principal is not None and forgotten == self._forgotten:
            # Counted from the question: the answer may be as old as that.
            self._believed[name] = (asked_at + BELIEVED_S, principal)
            while len(self._believed) > _REMEMBERED:
                self._believed.popitem(last=False)
        return principal

    def _looked_up(self, name: bytes, done: asyncio.Task[Principal | None]) -> None:
        if name in self._asking and self._asking[name][1] is done:
            del self._asking[name]
        if not done.cancelled():
            done.exception()  # whoever waited has it; perhaps nobody did any more

    # --- signing in and out -------------------------------------------------------------------

    async def login(
        self, email: str, password: str, address: str, *, user_agent: str | None = None
    ) -> SignedIn:
        """Open a session by password.

        Raises:
            Unauthenticated: wrong e-mail or password; which of them is not said.
            TooManyAttempts: carries `retry_after_s`.
        """
        account = plain_email(email)[:254]
        self._lockout.check(account, address, now=self._monotonic())
        # Counted before the slow check, so that parallel guesses do not slip through.
        self._lockout.failed(account, address, now=self._monotonic())
        found = await self._store.password_of(account)
        user, password_hash = (None, None) if found is None else found
        right = await self._passwords.verify(password_hash, password)
        if not right or user is None or password_hash is None or user.disabled:
            raise Unauthenticated("The e-mail or the password is wrong.", code="wrong_password")
        self._lockout.succeeded(account, address)
        if self._passwords.is_outdated(password_hash):
            fresh = await self._passwords.hash(password)
            await self._store.set_password(user.id, fresh, end_sessions_at=None)
        return await self._open(user, user_agent)

    async def redeem_link(
        self, token: str, address: str, *, user_agent: str | None = None
    ) -> SignedIn:
        """Open a session by a one-time link.

        Raises:
            Unauthenticated: the link is unknown, used or too old.
            TooManyAttempts: carries `retry_after_s`.
        """
        self._lockout.check(None, address, now=self._monotonic())
        user = None
        if may_be_token(token):
            user = await self._store.consume_link(hash_token(token), now=self._clock())
        if user is None:
            self._lockout.failed(None, address, now=self._monotonic())
            raise Unauthenticated("This link was used, or is too old.", code="link_invalid")
        return await self._open(user, user_agent)

    async def logout(self, principal: Principal) -> None:
        """End the session; an API key is not a session and stays."""
        if principal.credential != "session":
            return
        await self._store.revoke_session(UUID(principal.credential_id), now=self._clock())
        self.forget(principal.credential_id)

    def forget(self, credential_id: str) -> None:
        """Stop believing a credential in this process at once."""
        # What is being looked up may be known from before.
        self._forgotten += 1
        self._asking.clear()
        for name, (_, principal) in list(self._believed.items()):
            if principal.credential_id == credential_id:
                del self._believed[name]

    async def _open(self, user: User, user_agent: str | None) -> SignedIn:
        token, now = new_token(), self._clock()
        session_id = await self._store.open_session(
            user.id,
            token_hash=hash_token(token),
            user_agent=user_agent,
            now=now,
            expires_at=now + SESSION_LIFETIME,
        )
        return SignedIn(
            principal=user.principal("session", str(session_id)),
            token=token,
            expires_at=now + SESSION_LIFETIME,
        )
