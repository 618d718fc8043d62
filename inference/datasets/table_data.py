"""A version of a table as a recipe learns from it: rows with their moments, oldest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.bundle import FeatureKind, PreprocessingStep
from inference.datasets.intake import SHARES, TableManifest, check_table
from inference.datasets.table_rows import table_rows
from inference.datasets.tables import columns_of_table, opened, parquet, quoted
from inference.errors import DamagedArtifact
from inference.panel import Times
from inference.requests import Rows


class TablePlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What has to be in a table's file, and how its rows are to be parted and prepared."""

    manifest: TableManifest
    shares: tuple[float, float, float] = SHARES
    """Of the rows by time: training, validation, test."""
    embargo_s: float = 0.0
    """So long after a row its target may still be in the making, in seconds."""
    steps: tuple[PreprocessingStep, ...] = ()
    """As they were asked for, to be fitted."""


@dataclass(frozen=True, eq=False)
class TableData:
    """A table, row by row."""

    rows: Rows
    """Every column but moments, and who a row is of."""
    kinds: Mapping[str, FeatureKind]
    """Of those columns: numeric, binary or text."""
    times: Times | None
    """`datetime64[s]`, UTC: when each row had happened and was known; None: rows have no time."""
    entities: tuple[str, ...]
    """Whom each row is of; all alike where no column says."""
    plan: TablePlan

    def __len__(self) -> int:
        return len(self.rows)


def read_table(path: Path, plan: TablePlan) -> TableData:
    """Return a version's rows, once they were seen to be what its manifest says.

    Rows without a time are left out where there is a column of times.

    Raises:
        FileNotFoundError: it is not here.
        DamagedArtifact: the file holds something else.
        BadInput: there are more than 50 million cells.
    """
    check_table(path, plan.manifest)
    roles = plan.manifest.roles
    with opened() as database:
        try:
            where = "" if roles.time is None else f" WHERE {quoted(roles.time)} IS NOT NULL"
            database.execute(f"CREATE TEMP VIEW kept AS SELECT * FROM {parquet(path)}{where}")
            rows = table_rows(database, "kept", roles)
            times = _times(database, roles.time, roles.known)
            entities = _entities(database, roles.entity, len(rows))
            columns = columns_of_table(database, "kept")
        except duckdb.Error as error:
            said = str(error).strip().splitlines()[0]
            raise DamagedArtifact(f"{path.name} cannot be read: {said}") from None
    kinds: dict[str, FeatureKind] = {}
    for column in columns:
        if column.name in rows.names:
            kinds[column.name] = "binary" if column.sql_type == "BOOLEAN" else "numeric"
        elif column.name in rows.texts:
            kinds[column.name] = "text"
    if times is None:
        return TableData(rows, kinds, None, entities, plan)
    order = np.argsort(times, kind="stable")
    return TableData(
        take_rows(rows, order),
        kinds,
        times[order],
        tuple(entities[index] for index in order),
        plan,
    )


def take_rows(rows: Rows, which: NDArray[np.int64]) -> Rows:
    """Return some rows, in this order."""
    texts = {name: tuple(column[index] for index in which) for name, column in rows.texts.items()}
    return Rows(rows.names, rows.numbers[which], texts)


def _times(
    database: duckdb.DuckDBPyConnection, time: str | None, known: str | None
) -> Times | None:
    if time is None:
        return None
    moment = quoted(time)
    if known is not None:
        # What became known later than it happened cannot have been forecast from before.
        moment = f"greatest({moment}, coalesce({quoted(known)}, {moment}))"
    found = database.execute(f"SELECT epoch_us({moment}) // 1000000 AS t FROM kept").fetchnumpy()
    return np.asarray(found["t"], dtype=np.int64).astype("datetime64[s]")


def _entities(
    database: duckdb.DuckDBPyConnection, entity: str | None, rows: int
) -> tuple[str, ...]:
    if entity is None:
        return ("",) * rows
    name = quoted(entity)
    found = database.execute(f"SELECT coalesce(CAST({name} AS VARCHAR), '') FROM kept").fetchall()
    return tuple(row[0] for row in found)
