"""Tables as columns: a DuckDB with bounded memory, and the types that datasets know.

What does not fit into memory is spilled beside the database; nothing is fetched from outside.
"""

import glob
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from inference.bundle import FeatureKind

MEMORY_MIB = 512
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    "FLOAT",
    "DOUBLE",
)
_TIMES = (
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
)
_MOST_CATEGORIES = 50


class TableColumn(msgspec.Struct, frozen=True):
    """One column as DuckDB has it."""

    name: str
    sql_type: str

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.sql_type in _NUMBERS or self.sql_type.startswith("DECIMAL")

    @property
    def is_time(self) -> bool:
        """Whether it holds moments; those without a zone are taken as UTC."""
        return self.sql_type in _TIMES

    @property
    def number(self) -> str:
        """SQL for its value as a finite double; NULL where it is missing or not finite."""
        value = f"CAST({quoted(self.name)} AS DOUBLE)"
        return f"CASE WHEN isfinite({value}) THEN {value} END"

    @property
    def seconds(self) -> str:
        """SQL for its moment in seconds since 1970."""
        return f"epoch(CAST({quoted(self.name)} AS TIMESTAMP))"

    @property
    def present(self) -> str:
        """SQL that is true where there is a value: no NULL, no NaN, no empty text."""
        column = quoted(self.name)
        if self.is_number:
            return f"({column} IS NOT NULL AND NOT isnan(CAST({column} AS DOUBLE)))"
        if self.sql_type == "VARCHAR":
            return f"({column} IS NOT NULL AND trim({column}) <> '')"
        return f"({column} IS NOT NULL)"


@contextmanager
def opened(memory_mib: int = MEMORY_MIB) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a DuckDB that holds no more than so much and spills the rest."""
    with tempfile.TemporaryDirectory(prefix="outcry-table-") as spill:
        database = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "threads": "2",
                "memory_limit": f"{memory_mib}MiB",
                "temp_directory": spill,
            }
        )
        try:
            database.execute("SET TimeZone = 'UTC'")
            yield database
        finally:
            database.close()


def parquet(path: Path) -> str:
    """Return SQL that reads one Parquet file, whatever its name looks like."""
    return f"read_parquet({literal(glob.escape(str(path.resolve())))})"


def from_arrays(database: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Any]) -> str:
    """Make a table of arrays, and return SQL that names it."""
    database.register("_arrays", dict(columns))
    database.execute(f"CREATE TEMP TABLE {quoted(name)} AS SELECT * FROM _arrays")
    database.unregister("_arrays")
    return quoted(name)


def columns_of_table(database: duckdb.DuckDBPyConnection, table: str) -> tuple[TableColumn, ...]:
    """Return a table's columns, in their order."""
    rows = database.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    return tuple(TableColumn(str(row[0]), str(row[1])) for row in rows)


def kind_of(column: TableColumn, *, unique: int, present: int) -> FeatureKind:
    """Return what the seed calls a column of this type with so many different values.

    Text is categorical where few values come again and again: at most 50, each twice on average.
    """
    if column.sql_type == "BOOLEAN":
        return "binary"
    if column.is_time:
        return "datetime"
    if column.is_number:
        return "numeric"
    return "categorical" if unique <= _MOST_CATEGORIES and 2 * unique <= present else "text"


def quoted(name: str) -> str:
    """Return an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text for SQL."""
    return "'" + text.replace("'", "''") + "'"
