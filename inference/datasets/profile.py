"""What is in the columns of a table: the seed's FeatureStatistics, one column at a time.

Everything is computed inside DuckDB, column by column, with bounded memory. Numbers that are not
finite count as missing, and so does an empty text.
"""

import math
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec

from inference.bundle import FeatureKind
from inference.datasets.tables import TableColumn, columns_of_table, kind_of, quoted

BINS = 20
_TOP = 20
_OTHERS = "(others)"
_EXACT_ROWS = 5_000_000
"""Above so many rows the median is approximate (a t-digest): an exact one holds them all."""


class FeatureStatistics(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """The seed's. What the numbers are of depends on the column's type.

    numeric: of the values. text: of the lengths in characters. datetime: in seconds since 1970,
    UTC. binary: of 0 and 1. categorical: only unique, missing and distribution.
    """

    mean: float | None = None
    median: float | None = None
    std: float | None = None
    """Of a sample (n - 1); absent with fewer than two values."""
    min: float | None = None
    max: float | None = None
    unique: int | None = None
    """Different values that are present."""
    missing: int | None = None
    """Rows without one."""
    distribution: dict[str, int] | None = None
    """Rows by range (20 of the same width, the last with its end) or by value (the 20 most
    frequent, and the others together)."""


class DatasetFeature(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The seed's: one column."""

    name: str
    type: FeatureKind
    statistics: FeatureStatistics
    importance: float | None = None


def profile_table(
    database: duckdb.DuckDBPyConnection, table: str, *, texts: frozenset[str] = frozenset()
) -> tuple[DatasetFeature, ...]:
    """Return what is in every column of `table`, which is SQL: a name or `read_parquet(...)`.

    `texts`: columns that are text however few values they have.
    """
    return tuple(
        _profile(database, table, column, text=column.name in texts)
        for column in columns_of_table(database, table)
    )


def _profile(
    database: duckdb.DuckDBPyConnection, table: str, column: TableColumn, *, text: bool
) -> DatasetFeature:
    plain = quoted(column.name)
    value = column.number if column.is_number else f"CASE WHEN {column.present} THEN {plain} END"
    rows, present = _row(database, f"SELECT count(*), count({value}) FROM {table}")
    (unique,) = _row(
        database,
        # A grouping spills where count(DISTINCT) would hold everything.
        f"SELECT count(*) FROM (SELECT {value} AS v FROM {table} GROUP BY 1) WHERE v IS NOT NULL",
    )
    kind = kind_of(column, unique=unique, present=present)
    if text and kind == "categorical":
        kind = "text"
    by_value = kind in {"categorical", "binary"}
    distribution: dict[str, int] = {}
    numbers: dict[str, float] = {}
    if present:
        if by_value:
            distribution = _top(database, table, value, present)
        if kind != "categorical":
            number = {
                "numeric": value,
                "binary": f"CAST({plain} AS DOUBLE)",
                "datetime": column.seconds,
                "text": f"CAST(length({value}) AS DOUBLE)",
            }[kind]
            numbers = _numbers(database, table, number, present)
            if not by_value:
                distribution = _histogram(database, table, number, numbers, kind)
    return DatasetFeature(
        name=column.name,
        type=kind,
        statistics=FeatureStatistics(
            unique=unique, missing=rows - present, distribution=distribution, **numbers
        ),
    )


def _numbers(
    database: duckdb.DuckDBPyConnection, table: str, number: str, present: int
) -> dict[str, float]:
    low, high = _row(database, f"SELECT min({number}), max({number}) FROM {table}")
    # Divided by a power of two, which is exact, no sum or square leaves the range of a double.
    exponent = min(math.frexp(max(abs(low), abs(high)))[1], 1023)
    scale = 2.0 ** max(exponent, -1000)
    median = "median" if present <= _EXACT_ROWS else "approx_quantile"
    share = "" if present <= _EXACT_ROWS else ", 0.5"
    mean, spread, middle = _row(
        database,
        f"SELECT avg(x), stddev_samp(x), {median}(x{share}) FROM "
        f"(SELECT ({number}) / {scale!r}::DOUBLE AS x FROM {table}) WHERE x IS NOT NULL",
    )
    found = {"min": low, "max": high, "mean": mean * scale, "median": middle * scale}
    if spread is not None:
        found["std"] = spread * scale
    return {name: float(value) for name, value in found.items()}


def _histogram(
    database: duckdb.DuckDBPyConnection,
    table: str,
    number: str,
    numbers: dict[str, float],
    kind: FeatureKind,
) -> dict[str, int]:
    low, high = numbers["min"], numbers["max"]
    shown = _moment if kind == "datetime" else _short
    if low == high:
        (count,) = _row(database, f"SELECT count({number}) FROM {table}")
        return {shown(low): int(count)}
    # Halved before it is subtracted: the width of the whole range of doubles is no double.
    width = (high / 2 - low / 2) / BINS * 2
    found = database.execute(
        "SELECT least(CAST(floor((x / 2 - ?) / ? * 2) AS INTEGER), ?) AS bin, count(*) FROM "
        f"(SELECT {number} AS x FROM {table}) WHERE x IS NOT NULL GROUP BY bin",
        [low / 2, width, BINS - 1],
    ).fetchall()
    counts = {int(index): int(count) for index, count in found}
    edges = [(low / 2 + width / 2 * index) * 2 for index in range(BINS)] + [high]
    labels = [shown(edge) for edge in edges]
    if len(set(labels)) != len(labels):
        labels = [f"{index}: {edge!r}" for index, edge in enumerate(edges)]
    return {
        f"{labels[index]} .. {labels[index + 1]}": counts.get(index, 0) for index in range(BINS)
    }


def _short(number: float) -> str:
    return f"{number:.10g}"


def _moment(seconds: float) -> str:
    """Return a moment as people write it, or the seconds where the calendar has no such year."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return _short(seconds)


def _top(
    database: duckdb.DuckDBPyConnection, table: str, value: str, present: int
) -> dict[str, int]:
    found = database.execute(
        "SELECT v, count(*) AS times FROM "
        f"(SELECT CAST({value} AS VARCHAR) AS v FROM {table}) "
        "WHERE v IS NOT NULL GROUP BY v ORDER BY times DESC, v LIMIT ?",
        [_TOP],
    ).fetchall()
    counts = {str(text): int(count) for text, count in found}
    if others := present - sum(counts.values()):
        counts[_OTHERS] = counts.get(_OTHERS, 0) + others
    return counts


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    found = database.execute(query).fetchone()
    if found is None:
        raise LookupError("an aggregate without GROUP BY gives one row")
    return tuple(found)
