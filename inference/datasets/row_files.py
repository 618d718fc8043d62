"""Rows out of a file, as a model is asked about them: only its columns, in the file's order."""

from pathlib import Path

import duckdb

from inference.bundle import Bundle
from inference.datasets.intake import Format, load_file
from inference.datasets.quality import Roles
from inference.datasets.table_rows import table_rows
from inference.datasets.tables import columns_of_table, opened, quoted
from inference.errors import BadInput
from inference.requests import Rows

_NUMERIC = ("numeric", "binary")


def rows_of_file(path: Path, kind: Format, bundle: Bundle) -> Rows:
    """Return the columns that a model reads; what else the file holds is left alone.

    Raises:
        BadInput: the file cannot be read, has no rows, or lacks a column that the model needs.
    """
    with opened() as database:
        try:
            load_file(database, path, kind)
            there = {column.name: column for column in columns_of_table(database, "data")}
            picked = []
            for column in bundle.inputs:
                found = there.get(column.name)
                if found is None:
                    if column.required:
                        raise BadInput(
                            f"{path.name} has no column {column.name!r}; the model's are "
                            f"{[one.name for one in bundle.inputs]}"
                        )
                    continue
                name = quoted(column.name)
                if column.kind in _NUMERIC and found.sql_type == "VARCHAR":
                    # A column without a single value is read as texts.
                    name = f"TRY_CAST(nullif(trim({name}), '') AS DOUBLE) AS {name}"
                elif column.kind not in _NUMERIC and found.sql_type == "BOOLEAN":
                    name = f"CAST({name} AS VARCHAR) AS {name}"
                picked.append(name)
            database.execute(f"CREATE TEMP TABLE asked AS SELECT {', '.join(picked)} FROM data")
            rows = table_rows(database, "asked", Roles())
        except duckdb.Error as error:
            said = str(error).strip().splitlines()[0]
            raise BadInput(f"{path.name} cannot be read: {said}") from None
    if not len(rows):
        raise BadInput(f"{path.name} has no rows")
    return rows
