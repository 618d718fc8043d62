"""Tell which processes still live, so that only a dead one's runs are taken for orphans.

Each process holds a Postgres advisory lock named after itself on a connection of its own. The lock
goes when the process or its machine does, with no heartbeat and no clock to disagree about.
"""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
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
    try:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_CLASS, _key(owner))
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _keep(owner: str, connect: Connect, connection: asyncpg.Connection) -> None:
    while True:
        gone = asyncio.Event()

        def notice(_: object, gone: asyncio.Event = gone) -> None:
            gone.set()

        connection.add_termination_listener(notice)
        if connection.is_closed():
            # It went before anybody listened.
            gone.set()
        try:
            await gone.wait()
        except asyncio.CancelledError:
            connection.remove_termination_listener(notice)
            await _close(connection)
            raise
        log.warning("liveness.lost", owner=owner)
        while True:
            try:
                connection = await _hold(owner, connect)
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(_RETRY_S)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=2)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        # A server that does not answer any more takes the lock back by itself.
        connection.terminate()


async def living(owners: Collection[str], connection: asyncpg.pool.PoolConnectionProxy) -> set[str]:
    """Return those of `owners` that still hold their lock.

    Looks at the locks and takes none: one that was left behind would make a dead owner live on.
    """
    held = await connection.fetch(
        """
        SELECT objid::bigint FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1::bigint::oid
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        _LOCK_CLASS,
    )
    keys = {row[0] for row in held}
    return {owner for owner in owners if _key(owner) % 2**32 in keys}
