"""Which rows of what a source says now are news, and since when each was known.

A store of features is only added to. What a source says again is nothing new. Of the rest:

- A row of a moment that nothing was stored of is new. It was known when its source says; without
  such a column, `lag_seconds` after it happened; but if later moments of its entity were stored
  already it came late, and was known when it was seen.
- Where the newest that a source says of a moment differs from the newest that is stored, it is a
  correction: known when it was seen, whatever the source says of itself.

So what was stored as known at a moment stays as it was. Pure SQL on tables of a DuckDB.
"""

import duckdb
import msgspec
import numpy as np

from inference.datasets.feature_sets import FeatureSet
from inference.datasets.tables import quoted

_CLOSE = "1e-9"
"""Numbers that differ by less, relative to the larger of 1 and themselves, are the same: the same
features computed from prices in other share counts differ in their last bits."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to add: the table `news`."""

    new: int
    late: int
    """Of the new ones: so many came after later moments had been stored."""
    corrected: int

    @property
    def rows(self) -> int:
        """How many rows are to be added."""
        return self.new + self.corrected


def find_news(
    database: duckdb.DuckDBPyConnection, stored: str, definition: FeatureSet, *, seen: np.datetime64
) -> News:
    """Make the table `news` out of the table `incoming` and what is stored.

    `incoming` has `__entity`, `__event`, `__known` (NULL: not said) and the columns.
    """
    columns = ", ".join(quoted(name) for name in definition.names)
    moment = f"TIMESTAMP '{np.datetime_as_string(seen.astype('datetime64[us]'))}'"
    told = f"__event + to_microseconds({round(definition.lag_seconds * 1e6)})"
    if definition.known is None:
        known_where = "s.__entity = i.__entity AND s.__event = i.__event"
        known = f"CASE WHEN i.__event <= p.last THEN greatest({told}, {moment}) ELSE {told} END"
        late = "i.__event <= p.last"
    else:
        known_where = "s.__entity = i.__entity AND s.__event = i.__event AND s.__known = i.__known"
        known, late = "i.__known", "false"
    database.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT i.__entity, i.__event, {known} AS __known, coalesce({late}, false) AS __late,
               {columns}
          FROM incoming i
          LEFT JOIN (SELECT __entity, max(__event) AS last FROM {stored} GROUP BY 1) p
            USING (__entity)
         WHERE NOT EXISTS (SELECT 1 FROM {stored} s WHERE {known_where})
        """
    )
    newest = "QUALIFY row_number() OVER (PARTITION BY __entity, __event ORDER BY __known DESC) = 1"
    differs = " OR ".join(_differs(column.name, column.kind) for column in definition.columns)
    database.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE news AS
        WITH standing AS (
            SELECT * FROM (
                SELECT __entity, __event, __known, {columns} FROM {stored}
                UNION ALL
                SELECT __entity, __event, __known, {columns} FROM fresh
            ) {newest}
        ), said AS (SELECT * FROM incoming {newest})
        SELECT __entity, __event, __known, 'new' AS __why, __late, {columns} FROM fresh
        UNION ALL
        SELECT i.__entity, i.__event,
               greatest({moment}, w.__known + INTERVAL 1 MICROSECOND), 'corrected', false,
               {", ".join(f"i.{quoted(name)}" for name in definition.names)}
          FROM said i JOIN standing w
            ON i.__entity = w.__entity AND i.__event = w.__event
         WHERE {differs}
        """
    )
    counts = dict(
        database.execute(
            "SELECT CASE WHEN __late THEN 'late' ELSE __why END, count(*) FROM news GROUP BY 1"
        ).fetchall()
    )
    late_rows = int(counts.get("late", 0))
    return News(
        new=int(counts.get("new", 0)) + late_rows,
        late=late_rows,
        corrected=int(counts.get("corrected", 0)),
    )


def _differs(name: str, kind: str) -> str:
    mine, theirs = f"i.{quoted(name)}", f"w.{quoted(name)}"
    if kind != "number":
        return f"({mine} IS DISTINCT FROM {theirs})"
    far = f"abs({mine} - {theirs}) > {_CLOSE} * greatest(1, abs({mine}), abs({theirs}))"
    return f"(({mine} IS NULL) <> ({theirs} IS NULL) OR coalesce({far}, false))"
