"""Who lives: told by a lock that goes with its process, and comes back with its connection."""

import asyncio

from app.storage.engine import Database
from app.storage.liveness import living, new_owner, stay_alive
from app.storage.orphans import Orphans
from tests.integration.runs.conftest import Process
from tests.integration.runs.test_runs import SLOW, until_streaming

_CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_locks
 WHERE locktype = 'advisory' AND objsubid = 2 AND objid::bigint = $1
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def alive(database: Database, *owners: str) -> set[str]:
    async with database.connection() as connection:
        return await living(set(owners), connection)


async def lock_of(database: Database) -> int:
    [row] = await database.fetch(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    key: int = row[0]
    return key


async def test_an_owner_lives_exactly_while_it_is_inside(database: Database) -> None:
    # Both signs of the lock's key.
    owners = [new_owner(n) for n in range(8)]
    for owner in owners:
        assert await alive(database, *owners) == set()
        async with stay_alive(owner, database.connect):
            assert await alive(database, *owners) == {owner}
    assert await alive(database, *owners) == set()


async def test_looking_takes_no_lock(database: Database) -> None:
    async with stay_alive("me", database.connect):
        for _ in range(3):
            await alive(database, "me", "you")
        await lock_of(database)  # there is exactly one


async def test_an_owner_whose_connection_is_cut_lives_again(database: Database) -> None:
    async with stay_alive("me", database.connect):
        await database.fetch(_CUT_OFF, await lock_of(database))
        async with asyncio.timeout(10):
            # Nobody tells when a lock is taken.
            while await alive(database, "me") != {"me"}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert await alive(database, "me") == set()


async def test_a_process_that_lost_only_its_connection_keeps_its_runs(process: Process) -> None:
    process.script(SLOW)
    started = await process.ask("talk")
    await until_streaming(process)
    await process.database.fetch(_CUT_OFF, await lock_of(process.database))
    other = Orphans(process.database, owner="other", is_running=lambda _: False)
    assert await other.orphans() == []
    await process.runs.stop(started.run.id, process.principal)
