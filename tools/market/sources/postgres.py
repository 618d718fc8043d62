"""Bars in somebody else's Postgres: one SELECT, read once, written down, then read like a file.

The server writes its own CSV (COPY), so that a number arrives with the digits it has there.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tools.market.sources.files import FileSource
from tools.market.sources.source import Chunk, SourceError
from tools.market.sources.typed_table import Reading

_CONNECT_S = 15.0
_READ_S = 3600.0


class PostgresSource:
    """Implements `source.BarSource` on a query."""

    def __init__(
        self,
        url: str,
        query: str,
        *,
        symbol: str | None = None,
        columns: Mapping[str, str] | None = None,
        reading: Reading | None = None,
        without_volume: bool = False,
    ) -> None:
        """Remember what to ask; the options are those of a file."""
        self._url = url
        self._query = query.strip().rstrip(";")
        self._options = {
            "symbol": symbol,
            "columns": columns,
            "reading": (reading or Reading()).checked(),
            "without_volume": without_volume,
        }
        self._file: FileSource | None = None

    @property
    def label(self) -> str:
        """Return the server and database, without the password."""
        parts = urlsplit(self._url)
        return f"{parts.hostname or 'local'}{parts.path}"

    def row_count(self) -> int | None:
        """Return how many rows the query gave, once it has."""
        return None if self._file is None else self._file.row_count()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Run the query in a transaction that may only read, and hand its rows out.

        Raises:
            SourceError: the server cannot be reached or refuses the query, or a column is missing.
        """
        with tempfile.TemporaryDirectory(prefix="outcry-import-") as folder:
            copied = Path(folder) / "rows.csv"
            await self._copy(copied)
            self._file = FileSource(copied, **self._options)  # type: ignore[arg-type]
            async for chunk in self._file.chunks():
                yield chunk

    async def _copy(self, path: Path) -> None:
        try:
            connection = await asyncpg.connect(self._url, timeout=_CONNECT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise SourceError(f"{self.label} cannot be reached: {error}") from error
        except TimeoutError as error:
            raise SourceError(f"{self.label} did not answer within {_CONNECT_S:g} s.") from error
        try:
            async with connection.transaction(readonly=True), asyncio.timeout(_READ_S):
                # Times come with their zone, whatever the server's own is.
                await connection.execute("SET LOCAL timezone TO 'UTC'")
                await connection.execute("SET LOCAL datestyle TO 'ISO'")
                await connection.copy_from_query(
                    self._query, output=path, format="csv", header=True
                )
        except asyncpg.PostgresError as error:
            raise SourceError(f"{self.label} refused the query: {error}") from error
        finally:
            connection.terminate()
