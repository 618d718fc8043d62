"""Rows for the feature store, and the plainest way to say what stood at a moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from inference.datasets.feature_sets import FeatureSet, ValueColumn

START = datetime(2024, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """Return so many days after the start."""
    return START + timedelta(days=number)


@dataclass(frozen=True)
class Row:
    """What was known of one entity at one moment, since when; times in days after the start."""

    entity: str
    event: float
    known: float | None
    value: float | None
    label: str | None = "a"


def definition(
    *, ttl_days: float = 3.0, known: str | None = "known_at", lag_days: float = 0.0
) -> FeatureSet:
    """Return a view of two columns."""
    return FeatureSet(
        name="made.rows",
        version=1,
        entity="who",
        columns=(ValueColumn(name="value"), ValueColumn(name="label", kind="text")),
        ttl_seconds=ttl_days * 86_400,
        source="dataset",
        dataset="made",
        time="at",
        known=known,
        lag_seconds=lag_days * 86_400,
    )


def fill_with(rows: Sequence[Row]) -> Callable[[duckdb.DuckDBPyConnection], None]:
    """Return what puts rows into the table `incoming`."""

    def fill(database: duckdb.DuckDBPyConnection) -> None:
        for row in rows:
            database.execute(
                "INSERT INTO incoming VALUES (?, ?, ?, ?, ?)",
                [
                    row.entity,
                    day(row.event).replace(tzinfo=None),
                    None if row.known is None else day(row.known).replace(tzinfo=None),
                    row.value,
                    row.label,
                ],
            )

    return fill


def stood(rows: Sequence[Row], entity: str, at: float, ttl_days: float) -> Row | None:
    """Return the newest row that had happened, and was known, by `at`; None if it is too old."""
    usable = [
        row
        for row in rows
        if row.entity == entity and row.known is not None and row.event <= at and row.known <= at
    ]
    newest = max(usable, key=lambda row: (row.event, row.known), default=None)
    return None if newest is None or at - newest.event > ttl_days else newest
