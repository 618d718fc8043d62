"""Accounts, credentials and secrets on a real Postgres, with the time in the test's hand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from app.domain.accounts import User
from app.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from app.domain.ids import UserId, new_id
from app.domain.principal import Principal, Scope
from app.security.authenticator import Authenticator, SignedIn
from app.security.errors import SealBroken
from app.security.passwords import Passwords
from app.security.people import People
from app.security.sealing import Sealer
from app.storage.accounts import Accounts
from app.storage.engine import Database
from app.storage.secrets import StoredSecrets

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
START = datetime(2026, 11, 23, tzinfo=UTC)
HERE = "10.0.0.1"


class World:
    """The product's parts over one clock."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self.database = database
        self.now = START
        self.accounts = Accounts(database)
        self.people = People(self.accounts, passwords, clock=lambda: self.now)
        self.authenticator = Authenticator(
            self.accounts,
            passwords,
            clock=lambda: self.now,
            monotonic=lambda: (self.now - START).total_seconds(),
        )

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def ann(self) -> User:
        return await self.people.add_user("Ann@Example.test", password="correct horse")

    async def signed_in(self) -> SignedIn:
        await self.ann()
        return await self.authenticator.login("ann@example.test", "correct horse", HERE)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with Passwords(QUICK) as passwords:
        yield World(database, passwords)


# --- people -----------------------------------------------------------------------------------


async def test_an_address_is_one_user_however_it_is_written(world: World) -> None:
    ann = await world.ann()

    assert (ann.email, ann.name, ann.role) == ("ann@example.test", "ann", "user")
    with pytest.raises(Conflict) as refused:
        await world.people.add_user(" ANN@example.TEST ")
    assert refused.value.code == "email_taken"
    assert await world.accounts.find_user("ann@example.test") == ann


@pytest.mark.parametrize("email", ["", "ann", "@x", "ann@", "a b@x", "a" * 300 + "@x"])
async def test_what_is_no_address_is_refused(world: World, email: str) -> None:
    with pytest.raises(Invalid):
        await world.people.add_user(email)


async def test_hostile_names_are_stored_as_text(world: World) -> None:
    user = await world.people.add_user("x\ud800@y.test", name="'; DROP TABLE users; --\0 \u202e")

    assert user.name == "'; DROP TABLE users; --\ufffd \u202e"
    assert await world.accounts.users() == [user]
    assert await world.accounts.find_user("\0\ud800' OR 1=1 --") is None


async def test_processes_that_start_first_at_once_have_one_owner(world: World) -> None:
    owners = await asyncio.gather(*(world.people.ensure_owner(None, None) for _ in range(8)))

    assert len({owner.id for owner in owners}) == 1
    assert await world.accounts.first_admin() == owners[0]


async def test_a_configured_admin_is_made_once_and_keeps_a_changed_password(world: World) -> None:
    owner = await world.people.ensure_owner("Boss@Desk.test", "first password")
    await world.people.set_password("boss@desk.test", "second password")

    assert await world.people.ensure_owner("boss@desk.test", "first password") == owner
    assert await world.people.ensure_owner(None, None) == owner
    await world.authenticator.login("boss@desk.test", "second password", HERE)
    with pytest.raises(Unauthenticated):
        await world.authenticator.login("boss@desk.test", "first password", HERE)


async def test_without_an_admin_there_is_no_owner(world: World) -> None:
    await world.ann()
    with pytest.raises(NotFound):
        await world.accounts.first_admin()


# --- sessions ---------------------------------------------------------------------------------


async def test_only_hashes_of_secrets_are_stored(world: World) -> None:
    opened = await world.signed_in()
    link = await world.people.new_sign_in_link(opened.principal.user_id)
    _, key = await world.people.create_key(
        opened.principal.user_id, name="k", scopes=frozenset({"read"})
    )

    for secret in (opened.token, link, key, "correct horse"):
        for table in ("users", "sessions", "sign_in_links", "api_keys"):
            found = await world.database.fetchval(
                f"SELECT count(*) FROM {table} t"
                " WHERE position($1 IN t::text) > 0 OR position($2 IN t::text) > 0",
                secret,
                secret.encode().hex(),
            )
            assert found == 0, table


async def test_a_session_ends_by_signing_out_by_time_and_with_the_password(world: World) -> None:
    first = await world.signed_in()
    second = await world.authenticator.login("ann@example.test", "correct horse", HERE)
    third = await world.authenticator.login("ann@example.test", "correct horse", HERE)

    await world.authenticator.logout(first.principal)
    assert await world.authenticator.by_session(first.token) is None
    assert await world.authenticator.by_session(second.token) == second.principal

    world.now = third.expires_at
    assert await world.authenticator.by_session(third.token) is None
    world.now = START + timedelta(days=1)
    await world.people.set_password("ann@example.test", "another horse")
    world.pass_s(1.5)
    assert await world.authenticator.by_session(second.token) is None


async def test_a_disabled_user_is_out_within_a_second_by_every_credential(world: World) -> None:
    opened = await world.signed_in()
    user_id = opened.principal.user_id
    key, secret = await world.people.create_key(
        user_id, name="k", scopes=frozenset({"chat", "read"})
    )
    link = await world.people.new_sign_in_link(user_id)
    by_key = await world.authenticator.by_api_key(secret)
    assert by_key is not None
    assert by_key.credential_id == str(key.id)
    assert sorted(by_key.scopes) == ["chat", "read"]
    user = await world.accounts.find_user("ann@example.test")
    assert user is not None
    local = user.principal("local", "local")
    holders = [opened.principal, by_key, local]
    assert await world.authenticator.recheck(holders) == holders

    await world.accounts.change_user(user_id, disabled=True)
    world.pass_s(1.01)

    assert await world.authenticator.recheck(holders) == [None, None, None]
    assert await world.authenticator.by_session(opened.token) is None
    assert await world.authenticator.by_api_key(secret) is None
    with pytest.raises(Unauthenticated):
        await world.authenticator.redeem_link(link, HERE)
    with pytest.raises(Unauthenticated):
        await world.authenticator.login("ann@example.test", "correct horse", HERE)


async def test_rechecking_tells_the_rights_a_credential_has_now(world: World) -> None:
    opened = await world.signed_in()
    await world.accounts.change_user(opened.principal.user_id, role="admin")

    [now] = await world.authenticator.recheck([opened.principal])

    assert now is not None
    assert not opened.principal.may("admin")
    assert now.may("admin")


async def test_a_link_signs_in_exactly_one_of_twenty(world: World) -> None:
    ann = await world.ann()
    link = await world.people.new_sign_in_link(ann.id)

    async def redeem(n: int) -> SignedIn | Unauthenticated:
        try:
            return await world.authenticator.redeem_link(link, f"10.0.0.{n}")
        except Unauthenticated as refused:
            return refused

    answers = await asyncio.gather(*(redeem(n) for n in range(20)))

    assert sum(isinstance(answer, SignedIn) for answer in answers) == 1


async def test_a_link_is_good_for_a_day(world: World) -> None:
    ann = await world.ann()
    link = await world.people.new_sign_in_link(ann.id)
    world.now += timedelta(days=1)
    with pytest.raises(Unauthenticated):
        await world.authenticator.redeem_link(link, HERE)


# --- API keys ---------------------------------------------------------------------------------


async def test_a_key_works_until_its_end_or_its_revocation(world: World) -> None:
    ann = await world.ann()
    scopes: frozenset[Scope] = frozenset({"read"})
    lasting, secret = await world.people.create_key(ann.id, name="lasting", scopes=scopes)
    _, brief = await world.people.create_key(
        ann.id, name="brief", scopes=scopes, expires_at=world.now + timedelta(hours=1)
    )
    assert await world.authenticator.by_api_key(brief) is not None

    world.now += timedelta(hours=1)
    assert await world.authenticator.by_api_key(brief) is None
    assert await world.authenticator.by_api_key(secret) is not None

    stranger = UserId(new_id())
    assert not await world.people.revoke_key(stranger, lasting.id)
    assert await world.people.revoke_key(ann.id, lasting.id)
    assert not await world.people.revoke_key(ann.id, lasting.id)
    world.pass_s(1.5)
    assert await world.authenticator.by_api_key(secret) is None
    assert [key.name for key in await world.people.list_keys(ann.id)] == ["brief"]


async def test_the_last_use_of_a_key_is_noted_once_a_minute(world: World) -> None:
    ann = await world.ann()
    _, secret = await world.people.create_key(ann.id, name="k", scopes=frozenset({"read"}))
    noted = []
    for seconds in (0, 30, 29, 2, 61):
        world.pass_s(seconds)
        assert await world.authenticator.by_api_key(secret) is not None
        [key] = await world.people.list_keys(ann.id)
        assert key.last_used_at is not None
        noted.append((key.last_used_at - START).total_seconds())

    assert noted == [0, 0, 0, 61, 122]


@pytest.mark.parametrize(
    "credential", ["", "oc_", "oc_' OR 1=1 --", "oc_\0", "oc_\ud800", "oc_" + "x" * 10**6]
)
async def test_hostile_credentials_are_nobodys(world: World, credential: str) -> None:
    assert await world.authenticator.by_api_key(credential) is None
    assert await world.authenticator.by_session(credential) is None
    gone = Principal(
        user_id=UserId(new_id()),
        email="",
        name="",
        role="admin",
        scopes=frozenset({"admin"}),
        credential="session",
        credential_id=str(new_id()),
    )
    assert await world.authenticator.recheck([gone]) == [None]


# --- secrets ----------------------------------------------------------------------------------

CANARY = "sk-canary-0123456789"
OLD, NEW = "o" * 40, "n" * 40


async def test_a_secret_is_stored_sealed_replaced_and_forgotten(database: Database) -> None:
    secrets = StoredSecrets(database, Sealer([NEW]))
    assert await secrets.get("OPENAI_API_KEY") is None
    await secrets.set("OPENAI_API_KEY", "first")
    await secrets.set("OPENAI_API_KEY", CANARY)

    assert await secrets.get("OPENAI_API_KEY") == CANARY
    assert await secrets.names() == ["OPENAI_API_KEY"]
    row = await database.fetchrow("SELECT * FROM secrets")
    assert row is not None
    assert CANARY.encode() not in row["sealed"]
    assert CANARY not in repr(row)
    assert await secrets.delete("OPENAI_API_KEY")
    assert not await secrets.delete("OPENAI_API_KEY")


async def test_a_sealed_value_copied_to_another_row_does_not_open(database: Database) -> None:
    secrets = StoredSecrets(database, Sealer([NEW]))
    await secrets.set("MINE", CANARY)
    await database.execute("INSERT INTO secrets SELECT 'YOURS', key_id, sealed FROM secrets")

    with pytest.raises(SealBroken):
        await secrets.get("YOURS")


async def test_rotation_seals_all_by_the_new_key_and_a_crash_leaves_all_readable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["A", "B", "C"]
    for name in names:
        await StoredSecrets(database, Sealer([OLD])).set(name, CANARY + name)
    both = StoredSecrets(database, Sealer([NEW, OLD]))
    execute = database.execute
    written: list[str] = []

    async def crash_at_the_second(sql: str, *arguments: object) -> str:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(sql)
        return await execute(sql, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(database, "execute", crash_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            await both.rotate()
    assert [await both.get(name) for name in names] == [CANARY + name for name in names]

    assert await both.rotate() == 2
    assert await both.rotate() == 0

    new = StoredSecrets(database, Sealer([NEW]))
    assert [await new.get(name) for name in names] == [CANARY + name for name in names]
    with pytest.raises(SealBroken):
        await StoredSecrets(database, Sealer([OLD])).rotate()
