"""Files of entities and moments, answered with what stood then: rows to train on."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import numpy as np

from inference.datasets.feature_sets import FeatureSet
from inference.datasets.offline_features import OfflineFeatures
from inference.datasets.point_in_time import Asked, joined
from inference.datasets.tables import columns_of_table, literal, quoted
from inference.errors import BadInput
from inference.panel import Times

MOST_ROWS = 50_000_000
_READERS = {
    ".csv": "read_csv({}, header = true)",
    ".parquet": "read_parquet({})",
    ".jsonl": "read_json({}, format = 'newline_delimited')",
}
_WRITERS = {".csv": "FORMAT csv, HEADER", ".parquet": "FORMAT parquet, COMPRESSION zstd"}


def answer_pairs(
    store: OfflineFeatures, view: FeatureSet, pairs: Path, target: Path, *, now: datetime
) -> tuple[int, int]:
    """Write every row of `pairs` with its values; return how many rows, and how many have some.

    `pairs` has the columns `entity` and `time` (UTC where no zone is said); other columns, such as
    what is to be learned, stay beside them. `event_time` and `known_at` tell of what the values
    are.

    Raises:
        BadInput: a file is of another kind, cannot be read, or asks for what lies ahead of `now`.
        DamagedArtifact: what is stored cannot be read.
    """
    reader, writer = _READERS.get(pairs.suffix.lower()), _WRITERS.get(target.suffix.lower())
    if reader is None or writer is None:
        raise BadInput("--pairs is .csv, .parquet or .jsonl, and --out is .csv or .parquet")

    def use(database: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, int]:
        asked, others = _asked(database, reader.format(literal(str(pairs.resolve()))), pairs)
        if len(asked) and asked.times.max() > np.datetime64(
            now.astimezone(UTC).replace(tzinfo=None), "us"
        ):
            raise BadInput(f"a time in {pairs.name} lies ahead of now: nobody knows what will be")
        clash = sorted({"event_time", "known_at", *view.names} & {*others, "entity", "time"})
        if clash:
            raise BadInput(f"{pairs.name} has a column {clash[0]!r} already; call it otherwise")
        table = joined(database, rows, asked, view)
        partial = target.with_name(f".{target.name}.{uuid4().hex}")
        kept = "".join(f", p.{quoted(name)}" for name in others)
        values = "".join(f", t.{quoted(name)}" for name in view.names)
        try:
            database.execute(
                f"COPY (SELECT t.__who AS entity, t.__at AS time{kept}, "
                f"t.__event AS event_time, t.__known AS known_at{values} "
                f"FROM {table} t JOIN pairs p ON p.__row = t.__row ORDER BY t.__row) "
                f"TO {literal(str(partial.resolve()))} ({writer})"
            )
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        ((found,),) = database.execute(
            f"SELECT count(*) FROM {table} WHERE __event IS NOT NULL"
        ).fetchall()
        return len(asked), int(found)

    return store.read(view, use)


def _asked(
    database: duckdb.DuckDBPyConnection, source: str, file: Path
) -> tuple[Asked, tuple[str, ...]]:
    """Make the table `pairs` of a file; return its entities and moments, and its other columns."""
    try:
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE pairs AS "
            f"SELECT row_number() OVER () - 1 AS __row, * FROM {source} LIMIT {MOST_ROWS + 1}"
        )
        names = [one.name for one in columns_of_table(database, "pairs")]
        if not {"entity", "time"} <= set(names):
            raise BadInput(f"{file.name} needs the columns entity and time; it has {names[1:]}")
        found = database.execute(
            "SELECT CAST(entity AS VARCHAR) AS who, "
            "CAST(CAST(time AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP) AS moment "
            "FROM pairs ORDER BY __row"
        ).fetchnumpy()
    except duckdb.Error as wrong:
        first = str(wrong).strip().splitlines()[0]
        raise BadInput(f"{file.name} cannot be read: {first}") from None
    who, when = np.ma.asarray(found["who"]), np.ma.asarray(found["moment"])
    if np.ma.getmaskarray(who).any() or np.ma.getmaskarray(when).any():
        raise BadInput(f"a row of {file.name} has no entity or no time")
    if len(who) > MOST_ROWS:
        raise BadInput(f"{file.name} has more than {MOST_ROWS:,} rows")
    times: Times = np.asarray(when).astype("datetime64[us]")
    others = tuple(name for name in names if name not in ("__row", "entity", "time"))
    return Asked([str(one) for one in who.tolist()], times), others
