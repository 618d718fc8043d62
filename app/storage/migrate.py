"""Bring the schema up to date, at once when it already is.

Alembic and SQLAlchemy take a second to import, so they are left alone unless there is something
to do: the newest revision is found by reading the version files, the database's by one query.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from app.storage.engine import Connection, Database
from app.storage.errors import MigrationBusy, SchemaIsNewer, StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncConnection

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_REVISION = re.compile(r"""^(down_)?revision\b[^=]*=\s*["']([^"']+)["']""", re.MULTILINE)
_ADVISORY_LOCK = 7_052_193_318_246_611
"""Any number, as long as no other program uses it on this database."""
_WAIT_FOR_OTHERS_S = 300.0


def revisions(versions: Path = _MIGRATIONS / "versions") -> tuple[str, frozenset[str]]:
    """Return the newest revision and all known ones, read from the version files.

    Raises:
        StorageError: the history has no single end.
    """
    known: set[str] = set()
    earlier: set[str] = set()
    for path in versions.glob("*.py"):
        for is_down, revision in _REVISION.findall(path.read_text(encoding="utf-8")):
            (earlier if is_down else known).add(revision)
    heads = known - earlier
    if len(heads) != 1:
        raise StorageError(f"The migrations in {versions} have {len(heads)} ends instead of one")
    return heads.pop(), frozenset(known)


async def upgrade(database: Database, on_progress: Callable[[str], None] = lambda _: None) -> bool:
    """Migrate to the newest revision; return False if the schema was there already.

    Raises:
        SchemaIsNewer: a newer Outcry has migrated this database.
        MigrationBusy: another process is migrating and does not finish.
    """
    head, known = revisions()
    connection = await database.connect()
    try:
        if await _current(connection, known) == head:
            return False
        on_progress("preparing the database's tables")
        await _take_lock(connection)
        # Whoever held the lock may have done it all.
        if await _current(connection, known) == head:
            return False
        await _run_alembic(database)
        return True
    finally:
        await connection.close()  # gives the lock back


async def _current(connection: Connection, known: frozenset[str]) -> str | None:
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    if revision is not None and revision not in known:
        raise SchemaIsNewer(
            f"This database was migrated by a newer Outcry (revision {revision}), which this one"
            " does not know: start the newer one, or restore a backup made before the upgrade"
        )
    return revision


async def _take_lock(connection: Connection) -> None:
    try:
        async with asyncio.timeout(_WAIT_FOR_OTHERS_S):
            # Postgres could wait for us, but our statement timeout would end that too early.
            while not await connection.fetchval(  # noqa: ASYNC110
                "SELECT pg_try_advisory_lock($1)", _ADVISORY_LOCK
            ):
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise MigrationBusy(
            f"Another process has been migrating this database for {_WAIT_FOR_OTHERS_S:.0f} s"
        ) from error


async def _run_alembic(database: Database) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import, see above
    from alembic.config import Config  # noqa: PLC0415

    def run(connection: "sa.Connection") -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with sqlalchemy_connection(database.connect_kwargs) as connection:
        await connection.run_sync(run)


@asynccontextmanager
async def sqlalchemy_connection(connect_kwargs: dict[str, Any]) -> "AsyncIterator[AsyncConnection]":
    """Open a connection of SQLAlchemy's kind over asyncpg, for Alembic."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - slow to import
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    async def connect() -> Connection:
        # Migrations set their own limits.
        kwargs = {**connect_kwargs, "command_timeout": None}
        connection: Connection = await asyncpg.connect(**kwargs)
        return connection

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def command_line_connection() -> "AsyncIterator[AsyncConnection]":
    """Open the database that the `alembic` command should work on."""
    async with AsyncExitStack() as stack:
        source: Any = os.environ.get("DATABASE_URL")
        if not source:
            from app.storage.embedded import EmbeddedPostgres  # noqa: PLC0415 - often not needed

            data_dir = Path(os.environ.get("DATA_DIR") or ".outcry")
            source = (await stack.enter_async_context(EmbeddedPostgres(data_dir))).connect_kwargs
        database = Database(source)
        yield await stack.enter_async_context(sqlalchemy_connection(database.connect_kwargs))
