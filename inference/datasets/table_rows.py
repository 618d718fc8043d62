"""A table's rows as models take them: numbers by column, and texts by column."""

import duckdb
import numpy as np

from inference.datasets.quality import Roles
from inference.datasets.tables import columns_of_table, quoted
from inference.errors import BadInput
from inference.requests import Rows

_MOST_CELLS = 50_000_000


def table_rows(
    database: duckdb.DuckDBPyConnection,
    table: str,
    roles: Roles,
    *,
    until: np.datetime64 | None = None,
) -> Rows:
    """Return a table's rows; with `until`, those that had happened and were known by then.

    Truths are 1 and 0. Moments, and who a row is of, are no features and stay out; rows without a
    time are left out where `until` is said.

    Raises:
        BadInput: there are more than 50 million cells.
    """
    left_out = {roles.time, roles.known, roles.entity}
    columns = [
        one
        for one in columns_of_table(database, table)
        if one.name not in left_out and not one.is_time
    ]
    numbers = [one for one in columns if one.sql_type != "VARCHAR"]
    texts = [one for one in columns if one.sql_type == "VARCHAR"]
    where = "true"
    if until is not None:
        moment = f"TIMESTAMP '{np.datetime_as_string(until.astype('datetime64[s]'))}'"
        marks = [name for name in (roles.time, roles.known) if name is not None]
        # Up to the last part of that second: times were cut to whole seconds before.
        where = " AND ".join(f"{quoted(n)} < {moment} + INTERVAL 1 SECOND" for n in marks)
    picked = [
        f"coalesce({one.number if one.is_number else f'CAST({quoted(one.name)} AS DOUBLE)'}, "
        f"'nan'::DOUBLE) AS {quoted(one.name)}"
        for one in numbers
    ] + [f"coalesce({quoted(one.name)}, '') AS {quoted(one.name)}" for one in texts]
    count = database.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
    rows = int(count[0]) if count else 0
    if rows * len(columns) > _MOST_CELLS:
        raise BadInput(
            f"{rows:,} rows of {len(columns)} columns are too many to fit preprocessing on; "
            f"{_MOST_CELLS:,} cells are allowed"
        )
    if not picked:
        return Rows((), np.empty((rows, 0)))
    found = database.execute(f"SELECT {', '.join(picked)} FROM {table} WHERE {where}").fetchnumpy()
    block = np.empty((rows, len(numbers)))
    for index, one in enumerate(numbers):
        block[:, index] = np.asarray(found[one.name], dtype=np.float64)
    return Rows(
        tuple(one.name for one in numbers),
        block,
        {one.name: tuple(str(text) for text in found[one.name]) for one in texts},
    )
