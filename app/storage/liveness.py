"""Tell which processes still live, so that only a dead one's runs are taken for orphans.

Each process holds a Postgres advisory lock named after itself on a connection of its own. The lock
goes when the process or its machine does, with no heartbeat and no clock to disagree about.
"""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[asyncpg.Connection]]

_LOCK_CLASS = 0x0C7C
"""First half of the two-part advisory lock key; the second is a hash of the owner."""
_RETRY_S = 0.5


def new_owner(unique: object) -> str:
    """Return a name for this process that no other process has or will have."""
    return f"{socket.gethostname()}:{os.getpid()}:{unique}"


def _key(owner: str) -> int:
    digest = hashlib.sha256(owner.encode()).digest()
    return int.from_bytes(digest[:4], "big", signed=True)


@asynccontextmanager
async def stay_alive(owner: str, connect: Connect) -> AsyncIterator[None]:
    """Hold `owner`'s lock while inside; take it again whenever the database comes back."""
    connection = await _hold(owner, connect)
    keeper = asyncio.create_task(_keep(owner, connect, connection), name="liveness")
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


async def _hold(owner: str, connect: Connect) -> asyncpg.Connection:
    connection = await connect()
    await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_CLASS, _key(owner))
    return connection


async def _keep(owner: str, connect: Connect, connection: asyncpg.Connection) -> None:
    while True:
        gone = asyncio.Event()

        def notice(_: object, gone: asyncio.Event = gone) -> None:
            gone.set()

        connection.add_termination_listener(notice)
        try:
            await gone.wait()
        except asyncio.CancelledError:
            connection.remove_termination_listener(notice)
            await connection.close(timeout=2)
            raise
        log.warning("liveness.lost", owner=owner)
        while True:
            try:
                connection = await _hold(owner, connect)
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(_RETRY_S)


async def is_alive(owner: str, connection: asyncpg.pool.PoolConnectionProxy) -> bool:
    """Tell whether the process called `owner` still holds its lock."""
    key = _key(owner)
    taken = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK_CLASS, key)
    if taken:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", _LOCK_CLASS, key)
    return not taken
