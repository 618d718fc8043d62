"""Bars in a file: CSV (plain or packed) and Parquet."""

import asyncio
import glob
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal

import duckdb

from tools.market.sources.columns import Columns, find_columns
from tools.market.sources.source import Chunk, SourceError
from tools.market.sources.typed_table import Reading, TypedTable, connect, literal

Format = Literal["csv", "parquet"]
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKED = (".gz", ".zst")


class FileSource:
    """Implements `source.BarSource` on one file."""

    def __init__(
        self,
        path: Path,
        *,
        symbol: str | None = None,
        columns: Mapping[str, str] | None = None,
        reading: Reading | None = None,
        without_volume: bool = False,
        format: Format | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        """Remember what to read; `columns` maps fields to the file's names where they are unusual.

        Raises:
            SourceError: the file's kind cannot be told, or the options contradict each other.
        """
        self._path = path
        self._symbol = symbol
        self._told = dict(columns or {})
        self._reading = (reading or Reading()).checked()
        self._without_volume = without_volume
        self._format = format or _format_of(path)
        self._delimiter = delimiter
        self._encoding = encoding
        self._rows: int | None = None
        self.columns: Columns | None = None
        """Which column was taken for what, once it is open."""

    @property
    def label(self) -> str:
        """Return the file's name."""
        return self._path.name

    def row_count(self) -> int | None:
        """Return how many rows the file has, once it is open."""
        return self._rows

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Read the file, some rows of one symbol at a time.

        Raises:
            SourceError: it is not there, is no table, or lacks a column.
        """
        database = await asyncio.to_thread(connect)
        try:
            table = await asyncio.to_thread(self._open, database)
            self._rows = await asyncio.to_thread(table.row_count)
            chunks = table.chunks()
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                yield chunk
        finally:
            database.close()

    def _open(self, database: duckdb.DuckDBPyConnection) -> TypedTable:
        if not self._path.is_file():
            raise SourceError(f"There is no file {self._path}.")
        try:
            database.execute(
                "CREATE TEMP TABLE source AS SELECT row_number() OVER () AS _row, * "
                f"FROM {self._scan()}"
            )
        except duckdb.Error as error:
            raise SourceError(f"{self._path.name} cannot be read: {_first_line(error)}") from error
        names = [
            name
            for (name,) in database.execute(
                "SELECT column_name FROM duckdb_columns() WHERE table_name = 'source'"
            ).fetchall()
            if name != "_row"
        ]
        columns = find_columns(
            names,
            self._told,
            one_symbol=self._symbol is not None,
            without_volume=self._without_volume,
        )
        self.columns = columns
        return TypedTable(database, columns, self._reading, symbol=self._symbol)

    def _scan(self) -> str:
        # As it is written: DuckDB would take `prices[1].csv` for a pattern, and read another file.
        path = literal(glob.escape(str(self._path.resolve())))
        if self._format == "parquet":
            return f"read_parquet({path})"
        options = {
            # Every value as it is written: what it means is not for a sniffer to decide.
            "all_varchar": "true",
            "header": "true",
            "null_padding": "true",
            "strict_mode": "false",
            "parallel": "false",
            "encoding": literal(self._encoding),
        }
        if self._delimiter is not None:
            options["delim"] = literal(self._delimiter)
        listed = ", ".join(f"{name} = {value}" for name, value in options.items())
        return f"read_csv({path}, {listed})"


def _format_of(path: Path) -> Format:
    endings = [ending.lower() for ending in path.suffixes]
    while endings and endings[-1] in _PACKED:
        endings.pop()
    if endings and endings[-1] in _ENDINGS:
        return _ENDINGS[endings[-1]]
    raise SourceError(
        f"{path.name} does not end in {', '.join(_ENDINGS)}; say whether it is csv or parquet."
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
