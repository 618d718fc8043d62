"""Rows of somebody else's Postgres: one SELECT in a transaction that may only read, as Parquet.

The server sends its rows as it finds them (COPY), with the digits it has; nothing is held in memory
here. Columns have the types that the server says, not guessed ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import duckdb

from app.domain.errors import Invalid, TooLarge, Unavailable
from app.security.outbound import Outbound, OutboundFailed, OutboundRefused
from app.services.datasets.dataset_sources import DatabasePlace, Fetch, Fetched, read_database
from inference.datasets.tables import literal, opened, quoted

PORTS = frozenset({5432})
"""Where a public database may be without being listed."""
CONNECT_S = 15.0
STATEMENT_S = 900.0
MOST_ROWS = 20_000_000
MOST_BYTES = 4 * 1024**3
_LEAVE_S = 5.0
_BEFORE = "SELECT * FROM (\n"
_TYPES = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "DOUBLE",
    "float8": "DOUBLE",
    # A model computes with doubles; `numeric` says no scale that could be kept.
    "numeric": "DOUBLE",
    "money": None,
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "bytea": None,
}
"""Postgres's name of a type -> DuckDB's; None is refused, and what is absent comes as text."""


class Column(NamedTuple):
    """A column of the answer, in DuckDB's type."""

    name: str
    sql_type: str


class OutsideDatabase:
    """Implements `app.services.datasets.dataset_sources.ReadSource` on a Postgres."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        statement_s: float = STATEMENT_S,
        most_rows: int = MOST_ROWS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._outbound = outbound
        self._statement_s = statement_s
        self._most_rows = most_rows
        self._most_bytes = most_bytes

    async def __call__(self, fetch: Fetch) -> Fetched:
        """Write the query's rows to the target, as Parquet.

        Raises:
            Invalid: the place is not permitted, or the server refuses password or query.
            TooLarge: there are more rows or bytes than a dataset may have.
            Unavailable: the server cannot be reached, or takes too long.
        """
        place = read_database(fetch.source)
        connection = await self._connect(place, fetch)
        lines = fetch.target.with_suffix(".csv")
        try:
            columns, rows = await self._copy(connection, place, fetch, lines)
        finally:
            await _leave(connection)
        await asyncio.to_thread(_to_parquet, lines, columns, fetch.target)
        return Fetched(format="parquet", rows=rows)

    async def _connect(self, place: DatabasePlace, fetch: Fetch) -> asyncpg.Connection:
        try:
            addresses = await self._outbound.addresses(place.host, place.port, ports=PORTS)
        except OutboundRefused as refused:
            raise Invalid(f"`source.uri`: {refused.reason}", code="address_refused") from None
        except OutboundFailed as failed:
            raise Unavailable(failed.reason, code="not_fetched") from None
        try:
            connection: asyncpg.Connection = await asyncpg.connect(
                # Judged addresses, not the name; and nothing out of this machine's own settings.
                host=addresses,
                port=[place.port] * len(addresses),
                user=fetch.credentials["user"],
                password=fetch.credentials.get("password") or "",
                database=place.database,
                ssl=place.ssl,
                timeout=CONNECT_S,
                server_settings={
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(round(self._statement_s * 1000)),
                    "timezone": "UTC",
                    "datestyle": "ISO",
                    "application_name": "outcry",
                },
            )
        except TimeoutError:
            raise Unavailable(
                f"{place.host} did not answer within {CONNECT_S:g} s.", code="not_fetched"
            ) from None
        except asyncpg.PostgresError as error:
            raise Invalid(f"{place.host} lets nobody in: {error}.", code="source_refused") from None
        except (OSError, asyncpg.InterfaceError) as error:
            raise Unavailable(
                f"{place.host}:{place.port} cannot be reached: {_in_words(error)}.",
                code="not_fetched",
            ) from None
        return connection

    async def _copy(
        self, connection: asyncpg.Connection, place: DatabasePlace, fetch: Fetch, target: Path
    ) -> tuple[Sequence[Column], int]:
        """Have the query's rows written to `target` as CSV; return columns and how many."""
        # In a sub-select, so that it can be nothing but one SELECT. One row more than is allowed
        # tells that there are more.
        asked = f"{_BEFORE}{place.query}\n) AS asked LIMIT {self._most_rows + 1}"
        try:
            # The server's own limit comes first and stops the work there.
            async with (
                asyncio.timeout(self._statement_s + _LEAVE_S),
                connection.transaction(readonly=True),
            ):
                # Only one statement can be prepared: what closes our bracket fails here.
                prepared = await connection.prepare(asked)
                columns = _columns(prepared.get_attributes())
                with target.open("wb") as file:
                    counted = _Counted(file.write, self._most_bytes, fetch)
                    await connection.copy_from_query(
                        asked, output=counted.take, format="csv", header=True
                    )
        except (TimeoutError, asyncpg.QueryCanceledError):
            raise Unavailable(
                f"{place.host} took longer than {self._statement_s:g} s.", code="not_fetched"
            ) from None
        except asyncpg.PostgresError as error:
            raise Invalid(
                f"{place.host} refused the query: {error}{_where(error, place.query)}.",
                code="query_refused",
            ) from None
        except (OSError, asyncpg.InterfaceError) as error:
            raise Unavailable(
                f"{place.host} hung up: {_in_words(error)}.", code="not_fetched"
            ) from None
        rows = counted.rows - 1  # the headings
        if rows > self._most_rows:
            raise TooLarge(f"The query gives more than {self._most_rows:,} rows; select fewer.")
        return columns, rows


class _Counted:
    """Writes what the server sends, and counts rows and bytes as they come."""

    def __init__(self, write: Callable[[bytes], object], most: int, fetch: Fetch) -> None:
        self._write = write
        self._most = most
        self._fetch = fetch
        self._size = 0
        self._inside = 0
        """1 inside of quotation marks, where the end of a line is a part of a text."""
        self.rows = 0

    async def take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise TooLarge(f"The query gives more than {self._most:,} bytes; select fewer rows.")
        await asyncio.to_thread(self._write, part)
        for index, piece in enumerate(part.split(b'"')):
            self._inside ^= index > 0
            if not self._inside:
                self.rows += piece.count(b"\n")
        await self._fetch.told(max(0, self.rows - 1))


def _columns(attributes: Sequence[asyncpg.Attribute]) -> Sequence[Column]:
    """Return the answer's columns.

    Raises:
        Invalid: one has a type that no table can hold, or two have one name.
    """
    columns = []
    for one in attributes:
        kind = one.type.name
        sql_type = _TYPES.get(kind, "VARCHAR")
        if sql_type is None or one.type.kind != "scalar":
            raise Invalid(
                f"The column {one.name!r} is of the type {kind}, which no table here can hold: "
                f"leave it out, or cast it ({one.name}::text).",
                code="query_refused",
            )
        columns.append(Column(one.name, sql_type))
    names = [one.name for one in columns]
    if not names:
        raise Invalid("The query gives no columns.", code="query_refused")
    for name in names:
        if names.count(name) > 1:
            raise Invalid(
                f"Two columns of the query are called {name!r}: name one with AS.",
                code="query_refused",
            )
    return columns


def _to_parquet(lines: Path, columns: Sequence[Column], target: Path) -> None:
    """Write the CSV as Parquet, each column in its type.

    Raises:
        Invalid: a value has no place in it, such as a moment before the year -290000.
    """
    texts = ", ".join(f"{literal(one.name)}: 'VARCHAR'" for one in columns)
    cast = ", ".join(
        f"CAST({quoted(one.name)} AS {one.sql_type}) AS {quoted(one.name)}" for one in columns
    )
    with opened() as database:
        try:
            database.execute(
                f"COPY (SELECT {cast} FROM read_csv({literal(str(lines))}, header = true, "
                # The server quotes an empty text, and does not quote what is not there.
                "auto_detect = false, nullstr = '', allow_quoted_nulls = false, parallel = false, "
                f"max_line_size = 16777216, columns = {{{texts}}})) "
                f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
            )
        except duckdb.Error as error:
            said = str(error).strip().splitlines()[0]
            raise Invalid(f"What came cannot be stored: {said}", code="query_refused") from None
    lines.unlink()


async def _leave(connection: asyncpg.Connection) -> None:
    """Hang up, once the server has stopped working for us."""
    try:
        await connection.close(timeout=_LEAVE_S)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


def _where(error: asyncpg.PostgresError, query: str) -> str:
    """Return at which line and character of the query, as its author wrote it."""
    said = getattr(error, "position", None)
    if said is None:
        return ""
    at = int(said) - 1 - len(_BEFORE)
    if not 0 <= at < len(query):
        return ""
    before = query[:at]
    return f" (line {before.count(chr(10)) + 1}, character {at - (before.rfind(chr(10)) + 1) + 1})"


def _in_words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
