import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from app.domain.errors import Invalid
from app.security.passwords import Passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    async with Passwords(QUICK) as passwords:
        yield passwords


async def test_the_right_password_and_only_that_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")

    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify("not a hash", "correct horse")


async def test_an_unknown_user_costs_a_whole_verification(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str | bytes] = []
    verify = QUICK.verify

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(QUICK, name)

        def verify(self, password_hash: str, password: bytes) -> bool:
            verified.append(password_hash)
            return verify(password_hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting())

    assert not await passwords.verify(None, "whatever")
    assert not await passwords.verify(None, "nobody's password")
    assert len(verified) == 2
    assert str(verified[0]).startswith("$argon2id$")


async def test_hashing_leaves_the_event_loop_free(passwords: Passwords) -> None:
    seen = threading.Event()

    class Waiting:
        def hash(self, password: bytes) -> str:
            # Released by the loop while this thread waits: only possible if the loop is free.
            assert seen.wait(10)
            return "hashed"

    passwords._hasher = Waiting()  # type: ignore[assignment]
    hashing = asyncio.create_task(passwords.hash("long enough"))
    await asyncio.sleep(0)
    seen.set()

    assert await hashing == "hashed"


@pytest.mark.parametrize("password", ["short", "", "x" * 1_001])
async def test_passwords_of_impossible_length_are_refused(
    passwords: Passwords, password: str
) -> None:
    with pytest.raises(Invalid):
        await passwords.hash(password)


async def test_hostile_passwords_are_only_wrong(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")

    for password in ("\ud800", "\0", "x" * 10**6):
        assert not await passwords.verify(stored, password)


async def test_hashes_of_weaker_settings_are_outdated(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    async with Passwords() as strong:
        assert strong.is_outdated(stored)
    assert not passwords.is_outdated(stored)
