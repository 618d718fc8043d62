"""Which value stood at a moment: the newest that had happened and was known by then.

A row can be used from the later of two moments: when it happened, and when it became known. In
that order, a row counts only while no row before it told of something newer: what is left is the
*timeline* of an entity, on which "the last one by t" is the answer. So a correction, or a row that
came late, changes nothing before it was known. A value older than the view's ttl is no value.

Pure SQL over a table with the columns of `feature_sets.OWN`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from inference.datasets.feature_sets import FeatureSet, Value
from inference.datasets.tables import from_arrays, quoted
from inference.panel import Times


@dataclass(frozen=True, eq=False)
class Asked:
    """Entities at moments, UTC: one row each."""

    entities: Sequence[str]
    times: Times

    def __len__(self) -> int:
        return len(self.entities)


@dataclass(frozen=True, eq=False)
class Found:
    """What stood then: a row for every row asked for, in their order."""

    event_times: Times
    """`datetime64[us]`, UTC; NaT where nothing usable was known."""
    known_at: Times
    columns: dict[str, NDArray[np.object_] | NDArray[np.float64]]
    """Numbers are NaN where there is none, texts and truths None."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a value."""
        return ~np.isnat(self.event_times)


def timeline(rows: str, columns: Sequence[str] = ()) -> str:
    """Return SQL for the rows that were the newest known when they came, by `__from`."""
    kept = "".join(f", {quoted(name)}" for name in columns)
    # In this order a later row of one event is a later word about it, so that events decide.
    order = "PARTITION BY __entity ORDER BY __from, __event, __known"
    return f"""
        SELECT * FROM (
            SELECT __entity, __event, __known, greatest(__event, __known) AS __from{kept}
              FROM {rows}
        )
       QUALIFY __event >= max(__event) OVER ({order} ROWS UNBOUNDED PRECEDING)
           AND __from IS DISTINCT FROM lead(__from) OVER ({order})
    """


def join(
    database: duckdb.DuckDBPyConnection, rows: str, asked: Asked, definition: FeatureSet
) -> Found:
    """Return what stood at each of the moments."""
    relation = joined(database, rows, asked, definition)
    taken = database.execute(f"SELECT * FROM {relation} ORDER BY __row").fetchnumpy()
    columns: dict[str, NDArray[np.object_] | NDArray[np.float64]] = {}
    for column in definition.columns:
        values = taken[column.name]
        if column.kind == "number":
            columns[column.name] = np.ma.filled(
                np.ma.asarray(values, dtype=np.float64), np.nan
            ).astype(np.float64)
        else:
            columns[column.name] = np.array(_plain(values), dtype=object)
    return Found(_moments(taken["__event"]), _moments(taken["__known"]), columns)


def joined(
    database: duckdb.DuckDBPyConnection, rows: str, asked: Asked, definition: FeatureSet
) -> str:
    """Make the table of what stood then, with `__row`, and return its name in SQL."""
    table = from_arrays(
        database,
        "asked",
        {
            "__row": np.arange(len(asked), dtype=np.int64),
            "__who": np.array(list(asked.entities), dtype=object),
            "__at": asked.times.astype("datetime64[us]"),
        },
    )
    ttl = f"to_microseconds({round(definition.ttl_seconds * 1e6)})"
    values = "".join(f", r.{quoted(name)}" for name in definition.names)
    # What is older than the ttl of every moment, or was known after all of them, is not read. Times
    # alone are joined first: values are then read of the rows that are answers.
    needed = f"""(
        SELECT __entity, __event, __known FROM {rows}
         WHERE __entity IN (SELECT __who FROM {table})
           AND __event >= (SELECT min(__at) FROM {table}) - {ttl}
           AND greatest(__event, __known) <= (SELECT max(__at) FROM {table})
    )"""
    database.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE stood AS
        WITH answer AS (
            SELECT a.__row, a.__who, a.__at,
                   CASE WHEN t.__event >= a.__at - {ttl} THEN t.__event END AS __event,
                   CASE WHEN t.__event >= a.__at - {ttl} THEN t.__known END AS __known
              FROM {table} a
              ASOF LEFT JOIN ({timeline(needed)}) t
                ON a.__who = t.__entity AND a.__at >= t.__from
        )
        SELECT w.*{values}
          FROM answer w LEFT JOIN {rows} r
            ON r.__entity = w.__who AND r.__event = w.__event AND r.__known = w.__known
        """
    )
    database.execute(f"DROP TABLE {table}")
    return "stood"


def _moments(values: NDArray[np.datetime64]) -> Times:
    masked = np.ma.asarray(values).astype("datetime64[us]")
    return np.ma.filled(masked, np.datetime64("NaT"))


def _plain(values: NDArray[np.object_]) -> list[Value]:
    listed: list[Value] = np.ma.asarray(values).tolist()
    return [None if one is None or one != one else one for one in listed]
