"""How good a table is: the seed's six dimensions, each a share from 0 to 1 with what it counts.

A share of nothing is 1, and the counts say that nothing was checked: read both.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb
import msgspec
import numpy as np

from inference.datasets.bad_ticks import bad_ticks
from inference.datasets.tables import TableColumn, columns_of_table, quoted

PRICES = ("open", "high", "low", "close")
DEFINITIONS: Mapping[str, str] = {
    "completeness": "cells with a value / all cells; NULL, NaN and empty texts have none",
    "accuracy": (
        "prices that are not suspected of being a wrong tick / prices looked at: a jump of more "
        "than 4 robust deviations that the next row takes back (known one row later); without "
        "a time and a price, numbers within 20 robust deviations of their column's median / numbers"
    ),
    "consistency": (
        "rows that contradict neither themselves (low <= open, close <= high; nothing known "
        "before it happened) nor another row of the same key / rows"
    ),
    "validity": (
        "values that are possible / values: numbers finite, prices above 0, volumes not below 0, "
        "moments from 1900 to a day after the dataset was read, texts without broken characters"
    ),
    "uniqueness": "different keys / rows; without a key, different rows / rows",
    "timeliness": (
        "1 while a series' newest row is no older than twice its usual longest wait between rows "
        "(their 95th percentile), then that wait / its age; the mean over the series"
    ),
}
_PRICE_LIKE = (*PRICES, "price", "total")
_FAR = 20.0
_TO_DEVIATION = 1.4826


class Counted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one dimension rests on."""

    checked: int
    wrong: int


class DataQuality(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The seed's: each from 0 to 1; `DEFINITIONS` says of what."""

    completeness: float
    accuracy: float
    consistency: float
    validity: float
    uniqueness: float
    timeliness: float


class QualityReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The six numbers with their counts."""

    quality: DataQuality
    counts: dict[str, Counted]


class Roles(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which columns play which part; without them a table is only rows."""

    time: str | None = None
    """When a row happened."""
    entity: str | None = None
    """Of whom or what a row is: a symbol, say."""
    known: str | None = None
    """When a row could be known."""

    @property
    def key(self) -> tuple[str, ...]:
        """What a row is found by."""
        return tuple(name for name in (self.entity, self.time, self.known) if name is not None)


def measure(
    database: duckdb.DuckDBPyConnection, table: str, roles: Roles, *, now: datetime
) -> QualityReport:
    """Return how good a table is; `now` is when it was read, UTC.

    `table` is SQL: a name or `read_parquet(...)`. The columns of `roles` must be there.
    """
    columns = columns_of_table(database, table)
    rows = _count(database, f"SELECT count(*) FROM {table}")
    seconds = now.timestamp()
    counts = {
        "completeness": _completeness(database, table, columns, rows),
        "accuracy": _accuracy(database, table, columns, roles),
        "consistency": _consistency(database, table, columns, roles, rows),
        "validity": _validity(database, table, columns, seconds),
        "uniqueness": _uniqueness(database, table, roles, rows),
    }
    shares = {name: _share(one) for name, one in counts.items()}
    timeliness, series, late = _timeliness(database, table, columns, roles, seconds)
    counts["timeliness"] = Counted(checked=series, wrong=late)
    return QualityReport(quality=DataQuality(timeliness=timeliness, **shares), counts=counts)


def _share(counted: Counted) -> float:
    return 1.0 if counted.checked == 0 else 1.0 - counted.wrong / counted.checked


def _completeness(
    database: duckdb.DuckDBPyConnection, table: str, columns: tuple[TableColumn, ...], rows: int
) -> Counted:
    missing = sum(
        _count(database, f"SELECT count(*) FROM {table} WHERE NOT {column.present}")
        for column in columns
    )
    return Counted(checked=rows * len(columns), wrong=missing)


def _accuracy(
    database: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[TableColumn, ...],
    roles: Roles,
) -> Counted:
    numbers = [column for column in columns if column.is_number]
    price = next(
        (c for name in ("close", "price", "total") for c in numbers if c.name.lower() == name), None
    )
    if roles.time is not None and price is not None:
        return _ticks(database, table, price, roles)
    checked = wrong = 0
    for column in numbers:
        count, middle = _values(
            database, f"SELECT count(x), median(x) FROM (SELECT {column.number} AS x FROM {table})"
        )
        if not count:
            continue
        (spread,) = _values(
            database, f"SELECT median(abs(({column.number}) - ({middle!r}))) FROM {table}"
        )
        checked += int(count)
        if spread:
            far = _FAR * _TO_DEVIATION * spread
            wrong += _count(
                database,
                f"SELECT count(*) FROM {table} WHERE abs(({column.number}) - ({middle!r})) > {far}",
            )
    return Counted(checked=checked, wrong=wrong)


def _ticks(
    database: duckdb.DuckDBPyConnection, table: str, price: TableColumn, roles: Roles
) -> Counted:
    """Look at one series after the other, so that one is in memory at a time."""
    entity = "NULL" if roles.entity is None else quoted(roles.entity)
    time = quoted(roles.time or "")
    names = database.execute(f"SELECT DISTINCT {entity} FROM {table}").fetchall()
    checked = wrong = 0
    for (name,) in names:
        found = database.execute(
            f"SELECT coalesce({price.number}, 'nan'::DOUBLE) AS x FROM {table} "
            f"WHERE {entity} IS NOT DISTINCT FROM ? AND {time} IS NOT NULL ORDER BY {time}",
            [name],
        ).fetchnumpy()["x"]
        prices = np.asarray(found, dtype=np.float64)
        prices = prices[np.isfinite(prices)]
        checked += len(prices)
        wrong += int(bad_ticks(prices).sum())
    return Counted(checked=checked, wrong=wrong)


def _consistency(
    database: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[TableColumn, ...],
    roles: Roles,
    rows: int,
) -> Counted:
    names = {column.name.lower() for column in columns if column.is_number}
    rules = []
    if {"low", "high"} <= names:
        rules.append('"low" > "high"')
        inside = [name for name in ("open", "close") if name in names]
        rules += [f'"{name}" NOT BETWEEN "low" AND "high"' for name in inside]
    if roles.known is not None and roles.time is not None:
        rules.append(f"{quoted(roles.known)} < {quoted(roles.time)}")
    broken = " OR ".join(f"coalesce({rule}, false)" for rule in rules) or "false"
    if not roles.key:
        wrong = _count(database, f"SELECT count(*) FROM {table} WHERE {broken}")
        return Counted(checked=rows, wrong=wrong)
    key = ", ".join(quoted(name) for name in roles.key)
    # A whole row twice is no contradiction; it counts against uniqueness. Our names are long,
    # because the table's own columns stand beside them.
    wrong = _count(
        database,
        "SELECT coalesce(sum(CASE WHEN kinds > 1 THEN alike ELSE broken END), 0) FROM ("
        "SELECT count(*) AS kinds, sum(_outcry_alike) AS alike, "
        "sum(CASE WHEN _outcry_broken THEN _outcry_alike ELSE 0 END) AS broken FROM ("
        f"SELECT *, {broken} AS _outcry_broken, count(*) AS _outcry_alike FROM {table} "
        f"GROUP BY ALL) GROUP BY {key})",
    )
    return Counted(checked=rows, wrong=wrong)


def _validity(
    database: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[TableColumn, ...],
    now: float,
) -> Counted:
    checked = wrong = 0
    for column in columns:
        name = quoted(column.name)
        if column.is_number:
            value = f"CAST({name} AS DOUBLE)"
            bad = f"NOT isfinite({value})"
            if column.name.lower() in _PRICE_LIKE:
                bad += f" OR {value} <= 0"
            if column.name.lower() == "volume":
                bad += f" OR {value} < 0"
        elif column.is_time:
            bad = (
                f"NOT isfinite(CAST({name} AS TIMESTAMP)) OR "
                f"{column.seconds} NOT BETWEEN -2208988800 AND {now + 86_400.0}"
            )
        elif column.sql_type == "VARCHAR":
            bad = f"regexp_matches({name}, '[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x{{FFFD}}]')"
        else:
            bad = "false"
        present, broken = _values(
            database,
            f"SELECT count(*), count(*) FILTER ({bad}) FROM {table} WHERE {column.present}",
        )
        checked += int(present)
        wrong += int(broken)
    return Counted(checked=checked, wrong=wrong)


def _uniqueness(
    database: duckdb.DuckDBPyConnection, table: str, roles: Roles, rows: int
) -> Counted:
    wanted = ", ".join(quoted(name) for name in roles.key) or "*"
    different = _count(database, f"SELECT count(*) FROM (SELECT DISTINCT {wanted} FROM {table})")
    return Counted(checked=rows, wrong=rows - different)


def _timeliness(
    database: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[TableColumn, ...],
    roles: Roles,
    now: float,
) -> tuple[float, int, int]:
    """Return the mean over the series, how many they are, and how many are late."""
    column = next((one for one in columns if one.name == roles.time), None)
    if column is None:
        return 1.0, 0, 0
    entity = "NULL" if roles.entity is None else quoted(roles.entity)
    found = database.execute(
        "SELECT max(t), quantile_cont(t - before, 0.95) FILTER (t > before) FROM ("
        "SELECT who, t, lag(t) OVER (PARTITION BY who ORDER BY t) AS before FROM ("
        f"SELECT DISTINCT {entity} AS who, {column.seconds} AS t FROM {table} "
        f"WHERE {column.present})) GROUP BY who"
    ).fetchall()
    shares = []
    for newest, wait in found:
        if wait is None:
            continue  # One row tells nothing about how often there ought to be one.
        age = now - float(newest)
        usual = 2.0 * float(wait)
        shares.append(1.0 if age <= usual else usual / age)
    if not shares:
        return 1.0, 0, 0
    return sum(shares) / len(shares), len(shares), sum(share < 1.0 for share in shares)


def _count(database: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(_values(database, query)[0] or 0)


def _values(database: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    found = database.execute(query).fetchone()
    if found is None:
        raise LookupError("an aggregate without GROUP BY gives one row")
    return tuple(found)
