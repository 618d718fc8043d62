"""The authenticator over a store in memory, with every clock in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from argon2 import PasswordHasher

from app.domain.accounts import User
from app.domain.errors import TooManyAttempts, Unauthenticated
from app.domain.ids import UserId, new_id
from app.domain.principal import Principal
from app.security.authenticator import BELIEVED_S, Authenticator
from app.security.lockout import Lockout, LockoutPolicy
from app.security.passwords import Passwords
from app.security.tokens import hash_token, new_api_key

START = datetime(2026, 11, 23, tzinfo=UTC)
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class Memory:
    """What the authenticator needs stored."""

    def __init__(self) -> None:
        self.users: dict[str, tuple[User, str | None]] = {}
        self.sessions: dict[bytes, tuple[UUID, User, datetime]] = {}
        self.links: dict[bytes, User] = {}
        self.keys: dict[bytes, Principal] = {}
        self.asked = 0
        self.answers = asyncio.Event()
        """Set: a look-up of a key comes back."""
        self.answers.set()
        self.away = False

    async def password_of(self, email: str) -> tuple[User, str | None] | None:
        return self.users.get(email)

    async def set_password(
        self, user_id: UserId, password_hash: str, *, end_sessions_at: datetime | None
    ) -> None:
        for email, (user, _) in self.users.items():
            if user.id == user_id:
                self.users[email] = (user, password_hash)

    async def open_session(
        self,
        user_id: UserId,
        *,
        token_hash: bytes,
        user_agent: str | None,
        now: datetime,
        expires_at: datetime,
    ) -> UUID:
        session_id = new_id()
        [user] = [user for user, _ in self.users.values() if user.id == user_id]
        self.sessions[token_hash] = (session_id, user, expires_at)
        return session_id

    async def revoke_session(self, session_id: UUID, *, now: datetime) -> bool:
        kept = {k: v for k, v in self.sessions.items() if v[0] != session_id}
        revoked, self.sessions = len(kept) < len(self.sessions), kept
        return revoked

    async def consume_link(self, token_hash: bytes, *, now: datetime) -> User | None:
        return self.links.pop(token_hash, None)

    async def by_session(self, token_hash: bytes, *, now: datetime) -> Principal | None:
        self.asked += 1
        found = self.sessions.get(token_hash)
        if found is None or found[2] <= now:
            return None
        return found[1].principal("session", str(found[0]))

    async def by_key(self, key_hash: bytes, *, now: datetime) -> Principal | None:
        self.asked += 1
        found = self.keys.get(key_hash)
        await self.answers.wait()
        if self.away:
            raise ConnectionError("the database is away")
        return found

    async def recheck(
        self, principals: Sequence[Principal], *, now: datetime
    ) -> list[Principal | None]:
        alive = {str(session_id) for session_id, _, _ in self.sessions.values()}
        return [p if p.credential_id in alive else None for p in principals]


class World:
    def __init__(self, passwords: Passwords) -> None:
        self.store = Memory()
        self.seconds = 0.0
        self.passwords = passwords
        self.authenticator = Authenticator(
            self.store,
            passwords,
            lockout=Lockout(LockoutPolicy(account_failures=3, address_failures=6)),
            clock=lambda: START + timedelta(seconds=self.seconds),
            monotonic=lambda: self.seconds,
        )

    async def add(self, email: str, password: str | None, *, disabled: bool = False) -> User:
        user = User(UserId(new_id()), email, email, "user", disabled, START)
        hashed = None if password is None else await self.passwords.hash(password)
        self.store.users[email] = (user, hashed)
        return user


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Passwords(QUICK) as passwords:
        yield World(passwords)


async def test_a_password_opens_a_session_whose_cookie_is_believed(world: World) -> None:
    user = await world.add("ann@example.test", "correct horse")

    opened = await world.authenticator.login(" Ann@Example.test ", "correct horse", "10.0.0.1")

    assert opened.principal.user_id == user.id
    assert opened.token not in repr(opened)
    assert hash_token(opened.token) in world.store.sessions
    found = await world.authenticator.authenticate(
        cookie=opened.token, bearer=None, address="10.0.0.1"
    )
    assert found == opened.principal


async def test_wrong_unknown_disabled_and_passwordless_read_alike(world: World) -> None:
    await world.add("ann@example.test", "correct horse")
    await world.add("gone@example.test", "correct horse", disabled=True)
    await world.add("link@example.test", None)
    said = set()
    for email, password in (
        ("ann@example.test", "wrong horse"),
        ("nobody@example.test", "correct horse"),
        ("gone@example.test", "correct horse"),
        ("link@example.test", "nobody's password"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await world.authenticator.login(email, password, "10.0.0.1")
        said.add((refused.value.code, refused.value.message))

    assert len(said) == 1
    assert not world.store.sessions


@pytest.mark.parametrize("email", ["ann@example.test", "nobody@example.test"])
async def test_after_three_failures_even_the_right_password_waits(world: World, email: str) -> None:
    await world.add("ann@example.test", "correct horse")
    for n in range(3):
        with pytest.raises(Unauthenticated):
            await world.authenticator.login(email, "wrong horse", f"10.0.0.{n}")

    with pytest.raises(TooManyAttempts) as refused:
        await world.authenticator.login(email, "correct horse", "10.0.0.9")

    assert refused.value.retry_after_s == 900
    world.seconds = 900
    if email == "ann@example.test":
        await world.authenticator.login(email, "correct horse", "10.0.0.9")


async def test_a_link_works_once_and_guessing_links_is_stopped(world: World) -> None:
    user = await world.add("ann@example.test", None)
    world.store.links[hash_token("token")] = user

    opened = await world.authenticator.redeem_link("token", "10.0.0.1")

    assert opened.principal.user_id == user.id
    for token in ("token", "", "x" * 10_000, "\ud800", "guess", "guess"):
        with pytest.raises(Unauthenticated):
            await world.authenticator.redeem_link(token, "10.0.0.2")
    with pytest.raises(TooManyAttempts):
        await world.authenticator.redeem_link("guess", "10.0.0.2")


async def test_a_revoked_session_is_believed_for_a_second_at_most(world: World) -> None:
    await world.add("ann@example.test", "correct horse")
    opened = await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")
    assert await world.authenticator.by_session(opened.token)
    world.store.sessions.clear()  # by another process

    world.seconds += BELIEVED_S * 0.99
    assert await world.authenticator.by_session(opened.token)
    world.seconds += BELIEVED_S * 0.02

    assert await world.authenticator.by_session(opened.token) is None
    assert await world.authenticator.recheck([opened.principal]) == [None]


async def test_signing_out_here_acts_at_once(world: World) -> None:
    await world.add("ann@example.test", "correct horse")
    opened = await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")
    assert await world.authenticator.by_session(opened.token)

    await world.authenticator.logout(opened.principal)

    assert await world.authenticator.by_session(opened.token) is None


async def test_within_the_second_the_database_is_asked_once(world: World) -> None:
    await world.add("ann@example.test", "correct horse")
    opened = await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")

    for _ in range(50):
        await world.authenticator.by_session(opened.token)

    assert world.store.asked == 1


def holder(world: World, key: str) -> Principal:
    """Let somebody hold a key, of which look-ups do not come back yet."""
    user = User(UserId(new_id()), "ann@example.test", "Ann", "user", False, START)
    world.store.keys[hash_token(key)] = user.principal("api_key", "k1", frozenset({"read"}))
    world.store.answers.clear()
    return world.store.keys[hash_token(key)]


async def asking(world: World, key: str, times: int) -> list[asyncio.Task[Principal | None]]:
    tasks = [asyncio.create_task(world.authenticator.by_api_key(key)) for _ in range(times)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_many_requests_at_once_ask_the_database_once(world: World) -> None:
    key = new_api_key()
    held = holder(world, key)
    tasks = await asking(world, key, 20)
    tasks[0].cancel()  # the one that asked goes away; the others do not
    world.store.answers.set()
    assert await asyncio.gather(*tasks[1:]) == [held] * 19
    assert world.store.asked == 1


async def test_what_cannot_be_looked_up_is_told_to_all_and_looked_up_again(world: World) -> None:
    key = new_api_key()
    held = holder(world, key)
    world.store.away = True
    tasks = await asking(world, key, 3)
    world.store.answers.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 3
    world.store.away = False
    assert await world.authenticator.by_api_key(key) == held


async def test_nobody_joins_a_look_up_that_began_more_than_a_second_ago(world: World) -> None:
    key = new_api_key()
    holder(world, key)
    early = await asking(world, key, 1)
    world.store.keys.clear()
    world.seconds = BELIEVED_S
    late = await asking(world, key, 1)
    world.store.answers.set()
    assert await early[0] is not None
    assert await late[0] is None
    assert world.store.asked == 2


async def test_what_was_being_looked_up_when_it_was_forgotten_is_not_believed(world: World) -> None:
    key = new_api_key()
    holder(world, key)
    tasks = await asking(world, key, 1)
    world.store.keys.clear()
    world.authenticator.forget("k1")
    world.store.answers.set()
    assert await tasks[0] is not None
    assert await world.authenticator.by_api_key(key) is None


async def test_an_expired_session_is_none(world: World) -> None:
    await world.add("ann@example.test", "correct horse")
    opened = await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")

    world.seconds = (opened.expires_at - START).total_seconds()

    assert await world.authenticator.by_session(opened.token) is None


async def test_keys_and_cookies_are_not_exchangeable_and_a_wrong_key_decides_alone(
    world: World,
) -> None:
    user = await world.add("ann@example.test", "correct horse")
    opened = await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")
    key = new_api_key()
    world.store.keys[hash_token(key)] = user.principal("api_key", "k", frozenset({"read"}))
    authenticate = world.authenticator.authenticate

    by_key = await authenticate(cookie=None, bearer=key, address="")
    assert by_key is not None
    assert by_key.scopes == {"read"}
    assert not by_key.may("chat")
    assert await authenticate(cookie=key, bearer=None, address="") is None
    assert await authenticate(cookie=None, bearer=opened.token, address="") is None
    assert await authenticate(cookie=opened.token, bearer="oc_wrong", address="") is None
    assert await authenticate(cookie=opened.token, bearer="", address="") is None
    assert await authenticate(cookie=None, bearer=None, address="") is None


async def test_logging_out_with_a_key_leaves_the_key(world: World) -> None:
    user = await world.add("ann@example.test", None)
    key = new_api_key()
    principal = user.principal("api_key", str(new_id()))
    world.store.keys[hash_token(key)] = principal

    await world.authenticator.logout(principal)

    assert await world.authenticator.by_api_key(key) == principal


async def test_signing_in_renews_a_hash_of_weaker_settings(world: World) -> None:
    user = await world.add("ann@example.test", None)
    weaker = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash("correct horse")
    world.store.users["ann@example.test"] = (user, weaker)

    await world.authenticator.login("ann@example.test", "correct horse", "10.0.0.1")

    renewed = world.store.users["ann@example.test"][1]
    assert renewed is not None
    assert renewed != weaker
    assert not world.passwords.is_outdated(renewed)
