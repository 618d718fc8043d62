"""Connections to Postgres: one pool that outlives the server's restarts, and JSON as it must be.

Queries are SQL text in the sibling modules. Reads are repeated when the connection is lost under
them; writes never are, because their outcome is then unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from app.domain.errors import Unavailable
from app.domain.text import clean_json
from app.storage.errors import DatabaseRefused

Record: TypeAlias = asyncpg.Record
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")

_FIRST_PAUSE_S = 0.02
_LAST_PAUSE_S = 0.5
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # Where the server dies while asyncpg prepares a statement, its two ends disagree on the state.
    asyncpg.InternalClientError,
    OSError,  # includes TimeoutError, ConnectionError and a socket file that is not there
)
DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""All that a statement or a connection can fail with."""
_LOST_STATES = frozenset({"25P03", "57P05"})
"""The server ended a session that stood idle."""
_BUSY_STATES = frozenset({"40001", "40P01", "55P03", "57014"})
_DISK_FULL = "53100"
_AWAY_STATES = ("08", "25006", "25P03", "28", "3D000", "53", "57", "58")
"""Beginnings of SQLSTATEs that speak of the server and not of the statement: it is out of memory or
connections, stops, cannot read its files, has become a read-only replica, or (while it is moved or
restored) does not know us. What is to be written is right, and is written later."""
_JSON_VERSION = b"\x01"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode_json(value: Any) -> "EncodedJson":
    """Return `value` as JSON that Postgres takes.

    Called before the value goes near asyncpg, whose errors would repeat it whole.

    Raises:
        ValueError: it holds a number that is not finite.
    """
    return EncodedJson(_encode(clean_json(value)))


class EncodedJson(bytes):
    """JSON that `encode_json` made already."""


def _encode_jsonb(value: Any) -> bytes:
    return _JSON_VERSION + (value if type(value) is EncodedJson else encode_json(value))


def _decode_jsonb(data: bytes) -> Any:
    return _decode(memoryview(data)[1:])


def is_lost(error: BaseException) -> bool:
    """Tell whether `error` means that the connection, not the statement, failed."""
    if isinstance(error, asyncpg.InterfaceError):
        # Where a ROLLBACK fails because the server died, asyncpg takes the statement before it for
        # still running: this names a state of the connection, and a DataError (a ValueError) is
        # the only one about what was given.
        return not isinstance(error, ValueError) and any(
            said in str(error)
            for said in (
                "connection is closed",
                "another operation is in progress",
                "in a manually started transaction",
            )
        )
    return isinstance(error, _LOST) or _state(error) in _LOST_STATES


def _state(error: BaseException) -> str:
    return (isinstance(error, asyncpg.PostgresError) and error.sqlstate) or ""


def unavailable(error: BaseException) -> Unavailable | None:
    """Return the refusal that `error` means to a caller, or None if it is not about being there."""
    state = _state(error)
    if state == _DISK_FULL:
        return Unavailable("The database's disk is full.", code="storage_full", retry_after_s=30)
    if state in _BUSY_STATES:
        return Unavailable("The database is too busy.", code="database_busy", retry_after_s=2)
    if is_lost(error) or state.startswith(_AWAY_STATES):
        return Unavailable(
            "The database cannot be reached.", code="database_unavailable", retry_after_s=2
        )
    return None


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise `Unavailable` in place of what asyncpg says when the database is away or full."""
    try:
        yield
    except DATABASE_ERRORS as error:
        refusal = unavailable(error)
        if refusal is None:
            raise
        raise refusal from error


class Database:
    """The pool, as an async context manager."""

    def __init__(
        self,
        source: str | Mapping[str, Any],
        *,
        pool_size: int = 12,
        patience_s: float = 10.0,
        statement_timeout_s: float = 15.0,
        ensure_room: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
        source: `DATABASE_URL`, or the `connect_kwargs` of the embedded Postgres.
        patience_s: how long a read or a new connection waits for a database that is away.
        ensure_room: raises `Unavailable` when nothing new should be begun.
        """
        self._connect_kwargs = {
            **(_from_url(source) if isinstance(source, str) else source),
            "timeout": patience_s,
            # A server that is stopped in its tracks cannot enforce its own limits.
            "command_timeout": statement_timeout_s + 5,
            "server_settings": {
                "application_name": "outcry",
                "timezone": "UTC",
                "statement_timeout": f"{statement_timeout_s * 1000:.0f}",
                "lock_timeout": f"{statement_timeout_s * 500:.0f}",
                "idle_in_transaction_session_timeout": f"{statement_timeout_s * 2000:.0f}",
            },
        }
        self._pool_size = pool_size
        self._patience_s = patience_s
        self._pool: asyncpg.Pool[Record] | None = None
        self.ensure_room = ensure_room

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Return the arguments of `asyncpg.connect` that the pool uses."""
        return self._connect_kwargs

    async def __aenter__(self) -> "Database":
        async def open_pool() -> "asyncpg.Pool[Record]":
            return await asyncpg.create_pool(
                min_size=1,
                max_size=self._pool_size,
                init=prepare_connection,
                reset=_reset,
                **self._connect_kwargs,
            )

        try:
            self._pool = await self._patiently(open_pool)
        except (
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
        ) as error:
            raise DatabaseRefused(f"The database refuses us: {error}") from error
        except OSError as error:
            raise DatabaseRefused(f"The database cannot be reached: {error}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                # Somebody is slow to give a connection back, or the server is going too.
                pool.terminate()

    async def check(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: there is none within two seconds.
        """
        async with translated(), asyncio.timeout(2), self._acquired() as connection:
            await connection.execute("SELECT 1")

    async def connect(self) -> Connection:
        """Return a connection of one's own; the caller closes it."""
        connection: Connection = await asyncpg.connect(**self._connect_kwargs)
        await prepare_connection(connection)
        return connection

    # --- reading: repeated if the connection is lost -------------------------------------------

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        """Return all rows of a query that changes nothing."""
        async with translated():
            return await self._patiently(lambda: self._fetch(sql, arguments))

    async def fetchrow(self, sql: str, *arguments: Any) -> Record | None:
        """Return the first row of a query that changes nothing."""
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """Return the first value of a query that changes nothing, None if there is no row."""
        rows = await self.fetch(sql, *arguments)
        return rows[0][0] if rows else None

    async def _fetch(self, sql: str, arguments: tuple[Any, ...]) -> list[Record]:
        async with self._acquired() as connection:
            return await connection.fetch(sql, *arguments)

    # --- writing: once ------------------------------------------------------------------------

    async def execute(self, sql: str, *arguments: Any) -> str:
        """Run one statement as its own transaction and return its status, as in `UPDATE 1`.

        Raises:
            Unavailable: whether it happened is unknown.
        """
        async with self.connection() as connection:
            return await connection.execute(sql, *arguments)

    async def write(self, sql: str, *arguments: Any) -> list[Record]:
        """Run one statement as its own transaction and return its rows (`... RETURNING`).

        Raises:
            Unavailable: whether it happened is unknown.
        """
        async with self.connection() as connection:
            return await connection.fetch(sql, *arguments)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PooledConnection]:
        """Lend a connection. Waits for a database that is away, then says `Unavailable`."""
        async with translated(), self._acquired() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PooledConnection]:
        """Lend a connection in a transaction that commits at the end of the block."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[PooledConnection]:
        pool = self.pool
        connection = await self._patiently(lambda: pool.acquire(timeout=self._patience_s))
        try:
            yield connection
        except asyncpg.InternalClientError:
            # Nobody else should be lent it.
            connection.terminate()
            raise
        finally:
            await pool.release(connection)

    @property
    def pool(self) -> "asyncpg.Pool[Record]":
        """Return the bare pool, for those who neither wait nor translate errors."""
        if self._pool is None:
            raise RuntimeError("Database is not entered")
        return self._pool

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat `attempt` while the connection is what fails, up to our patience."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await attempt()
            except DATABASE_ERRORS as error:
                if not is_lost(error) or loop.time() + pause_s > give_up_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LAST_PAUSE_S)


async def prepare_connection(connection: Connection) -> None:
    """Teach a fresh connection our JSON."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )


async def _reset(connection: Connection) -> None:
    """Skip asyncpg's reset, a round trip per use: nothing here changes a session's state."""
    if connection.is_in_transaction():
        await connection.reset()


def _from_url(url: str) -> dict[str, Any]:
    """Accept the usual spellings of a Postgres URL."""
    scheme = urlsplit(url).scheme
    if scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise DatabaseRefused(
            "DATABASE_URL must begin with postgresql://, postgres:// or postgresql+asyncpg://"
        )
    return {"dsn": "postgresql" + url[len(scheme) :]}
