"""Put new rows behind those of an earlier version, column by column."""

from pathlib import Path

import duckdb

from inference.datasets.tables import TableColumn, columns_of_table, parquet, quoted
from inference.errors import BadInput


def append_to(database: duckdb.DuckDBPyConnection, earlier: Path) -> None:
    """Make the table `data` that of `earlier` with its own rows behind.

    A column that only one of them has is missing in the other's rows. Whole numbers and broken ones
    go together; a column without a value takes the other's type.

    Raises:
        BadInput: a column was of another kind so far.
    """
    scan = parquet(earlier)
    old = {column.name: column for column in columns_of_table(database, scan)}
    new = {column.name: column for column in columns_of_table(database, "data")}
    types: dict[str, str | None] = {}
    for name in (*old, *(name for name in new if name not in old)):
        before, now = old.get(name), new.get(name)
        if before is None or now is None:
            types[name] = (before or now or TableColumn(name, "VARCHAR")).sql_type
        elif before.sql_type == now.sql_type or (before.is_number and now.is_number):
            types[name] = None  # as they are: the wider type of numbers wins
        elif not _present(database, "data", now):
            types[name] = before.sql_type
        elif not _present(database, scan, before):
            types[name] = now.sql_type
        else:
            raise BadInput(
                f"the column {name!r} was {before.sql_type} so far and is {now.sql_type} in what "
                "is new: collect it as another dataset"
            )
    parts = []
    for table, columns in ((scan, old), ("data", new)):
        cells = ", ".join(_cell(name, kind, columns) for name, kind in types.items())
        parts.append(f"SELECT {cells} FROM {table}")
    database.execute(f"CREATE TEMP TABLE joined AS {' UNION ALL '.join(parts)}")
    database.execute("DROP TABLE data")
    database.execute("ALTER TABLE joined RENAME TO data")


def _cell(name: str, kind: str | None, columns: dict[str, TableColumn]) -> str:
    value = quoted(name) if name in columns else "NULL"
    return f"{value if kind is None else f'CAST({value} AS {kind})'} AS {quoted(name)}"


def _present(database: duckdb.DuckDBPyConnection, table: str, column: TableColumn) -> bool:
    found = database.execute(f"SELECT 1 FROM {table} WHERE {column.present} LIMIT 1").fetchone()
    return found is not None
