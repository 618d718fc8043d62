"""Make a version of a table out of a file: CSV, Parquet or JSON lines in, Parquet (zstd) out.

Nothing is guessed from a sample: a column of texts is numbers, moments or truths only where every
value is written so, and texts otherwise. The version is named by what is in it, value by value, so
that the same rows have the same address whichever file they came from.
"""

import glob
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import duckdb
import msgspec
import numpy as np

from inference.bundle import PreprocessingStep
from inference.datasets.appending import append_to
from inference.datasets.fitting import fit_steps
from inference.datasets.profile import DatasetFeature, profile_table
from inference.datasets.quality import QualityReport, Roles, measure
from inference.datasets.splits import split_by_time
from inference.datasets.table_rows import table_rows
from inference.datasets.tables import (
    TableColumn,
    columns_of_table,
    literal,
    opened,
    parquet,
    quoted,
)
from inference.errors import BadInput, DamagedArtifact

Format = Literal["csv", "parquet", "jsonl"]
SHARES = (0.6, 0.2, 0.2)
"""Of the rows by time where nobody says otherwise: training, validation, test."""
_SUFFIX = ".table.parquet"
_NUMBER = r"[+-]?(0|[1-9]\d{0,17})"
_DECIMAL = r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
_DAY = r"\d{4}-\d{2}-\d{2}"
_MOMENT = _DAY + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)"
_TIME_NAMES = ("time", "timestamp", "date", "datetime", "day", "closed_at", "opened_at")
_ENTITY_NAMES = ("symbol", "ticker", "entity")
_KNOWN_NAMES = ("known_at", "knowledge_time", "available_at")
_CHUNK = 20_000


class ColumnManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One column."""

    name: str
    type: str
    """As DuckDB calls it."""


class TableManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a version of a table holds, without its values."""

    schema_version: int = 1
    kind: str = "table"
    columns: tuple[ColumnManifest, ...]
    rows: int
    sha256: str
    """Of the values, row by row, in their order."""
    roles: Roles = Roles()
    origin: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """Of a stream: which messages it is made of."""

    def digest(self) -> str:
        """Return the version's address."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class IntakeWishes(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the file is to be understood and parted."""

    roles: Roles = Roles()
    """Roles nobody named are found by usual names: `time`, `symbol`, `known_at`."""
    shares: tuple[float, float, float] = SHARES
    embargo_s: float = 0.0
    most_rows: int = 20_000_000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A version, and what is said of it."""

    manifest: TableManifest
    path: Path
    features: tuple[DatasetFeature, ...]
    report: QualityReport
    splits: dict[str, float]
    as_of: datetime | None
    """Its newest moment, UTC."""
    steps: tuple[PreprocessingStep, ...] = ()
    """Fitted on the rows of training."""


def table_path(root: Path, digest: str) -> Path:
    """Return where the version of this address lies below `root`."""
    return root / f"{digest}{_SUFFIX}"


def take_in(
    source: Path,
    kind: Format,
    root: Path,
    wishes: IntakeWishes,
    *,
    now: datetime,
    steps: Sequence[PreprocessingStep] = (),
    after: Path | None = None,
    origin: dict[str, Any] | None = None,
    progress: Callable[[float, str], None] = lambda share, stage: None,
) -> Taken:
    """Write a version of what is in `source` below `root`, and describe it.

    `after` is the file of an earlier version, whose rows come before these. `origin` tells where
    they came from. `progress` gets the share that is done and words for people, and may raise to
    stop.

    Raises:
        BadInput: the file cannot be read, has no rows or too many, or lacks a named column.
    """
    with opened() as database:
        progress(0.05, "reading the file")
        try:
            load_file(database, source, kind)
        except duckdb.Error as error:
            raise BadInput(f"{source.name} cannot be read: {_first_line(error)}") from None
        if after is not None:
            append_to(database, after)
        rows = _rows(database)
        if not rows:
            raise BadInput(f"{source.name} has no rows")
        if rows > wishes.most_rows:
            raise BadInput(
                f"{source.name} has {rows:,} rows; a dataset may have {wishes.most_rows:,}"
            )
        roles = _roles(columns_of_table(database, "data"), wishes.roles)
        progress(0.3, "naming the version")
        manifest = _manifest(database, "data", roles)
        if origin is not None:
            manifest = msgspec.structs.replace(manifest, origin=origin)
        path = table_path(root, manifest.digest())
        if not _is_whole(path, manifest):
            _write(database, path)
        progress(0.5, "describing the columns")
        features = profile_table(database, "data")
        progress(0.8, "judging its quality")
        report = measure(database, "data", roles, now=now)
        splits, as_of, train_until = _by_time(database, roles, wishes)
        fitted: tuple[PreprocessingStep, ...] = ()
        if steps:
            progress(0.95, "fitting the preprocessing")
            learned = table_rows(database, "data", roles, until=train_until)
            fitted = fit_steps(steps, learned, np.ones(len(learned), dtype=np.bool_))
        return Taken(
            manifest=manifest,
            path=path,
            features=features,
            report=report,
            splits=splits,
            as_of=as_of,
            steps=fitted,
        )


def check_table(path: Path, manifest: TableManifest) -> None:
    """See that a version is what its manifest says, value by value.

    Raises:
        FileNotFoundError: it is not here.
        DamagedArtifact: the file holds something else, or cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    with opened() as database:
        try:
            found = _manifest(database, parquet(path), manifest.roles)
        except duckdb.Error as error:
            raise DamagedArtifact(
                f"the dataset's file {path.name} cannot be read: {_first_line(error)}"
            ) from None
    if msgspec.structs.replace(found, origin=manifest.origin) != manifest:
        raise DamagedArtifact(f"the dataset's file {path.name} holds other values than it says")


def _is_whole(path: Path, manifest: TableManifest) -> bool:
    try:
        check_table(path, manifest)
    except (FileNotFoundError, DamagedArtifact):
        return False
    return True


# --- reading ----------------------------------------------------------------------------------


def load_file(database: duckdb.DuckDBPyConnection, source: Path, kind: Format) -> None:
    """Make the table `data` of a file, each column in the type all its values are written in.

    Raises:
        BadInput: it has no columns.
        duckdb.Error: it cannot be read.
    """
    place = literal(glob.escape(str(source.resolve())))
    if kind == "parquet":
        scan = f"read_parquet({place})"
    elif kind == "csv":
        # Every value as it is written: what it means is decided by all of them.
        scan = f"read_csv({place}, all_varchar = true, header = true, parallel = false)"
    else:
        scan = (
            f"read_json({place}, format = 'newline_delimited', sample_size = -1, "
            "maximum_depth = 2, convert_strings_to_integers = false, "
            "dateformat = '%%', timestampformat = '%%')"
        )
    database.execute(f"CREATE TEMP TABLE raw AS SELECT * FROM {scan}")
    picked = [_typed(database, column) for column in columns_of_table(database, "raw")]
    if not picked:
        raise BadInput(f"{source.name} has no columns")
    database.execute(f"CREATE TEMP TABLE data AS SELECT {', '.join(picked)} FROM raw")
    database.execute("DROP TABLE raw")


def _typed(database: duckdb.DuckDBPyConnection, column: TableColumn) -> str:
    """Return SQL for a column in the type that all its values are written in."""
    name = quoted(column.name)
    if column.is_number or column.sql_type == "BOOLEAN":
        return name
    if column.is_time:
        return f"CAST({name} AS TIMESTAMP) AS {name}"
    if column.sql_type != "VARCHAR":
        return f"CAST({name} AS VARCHAR) AS {name}"
    text = f"trim({name})"
    day = f"CAST(TRY_CAST({text} AS DATE) AS TIMESTAMP)"
    moment = f"CAST(timezone('UTC', TRY_CAST({text} AS TIMESTAMPTZ)) AS TIMESTAMP)"
    tries = (
        (_NUMBER, f"TRY_CAST({text} AS BIGINT)"),
        (_DECIMAL, f"TRY_CAST({text} AS DOUBLE)"),
        ("(?i)true|false", f"TRY_CAST({text} AS BOOLEAN)"),
        (_DAY, day),
        (_MOMENT, moment),
    )
    for pattern, value in tries:
        fits = f"regexp_full_match({text}, {literal(pattern)}) AND ({value}) IS NOT NULL"
        found = database.execute(
            f"SELECT count(*), count(*) FILTER ({fits}) FROM raw WHERE {column.present}"
        ).fetchone()
        if found is not None and found[0] and found[0] == found[1]:
            return f"CASE WHEN {column.present} THEN {value} END AS {name}"
    return name


def _roles(columns: tuple[TableColumn, ...], named: Roles) -> Roles:
    """Return the roles that were named, and those that a usual name tells."""
    by_name = {column.name: column for column in columns}
    for role, name in (("time", named.time), ("entity", named.entity), ("known", named.known)):
        if name is None:
            continue
        if name not in by_name:
            raise BadInput(f"there is no column {name!r} ({role}); there are {list(by_name)}")
        if role != "entity" and not by_name[name].is_time:
            raise BadInput(
                f"the column {name!r} ({role}) does not hold moments: write 2026-03-01 or "
                "2026-03-01T10:00Z, with the zone, in every row"
            )

    def usual(names: tuple[str, ...], *, times: bool) -> str | None:
        for column in columns:
            if column.name.lower() in names and column.is_time == times:
                return column.name
        return None

    return Roles(
        time=named.time or usual(_TIME_NAMES, times=True),
        entity=named.entity or usual(_ENTITY_NAMES, times=False),
        known=named.known or usual(_KNOWN_NAMES, times=True),
    )


def _by_time(
    database: duckdb.DuckDBPyConnection, roles: Roles, wishes: IntakeWishes
) -> tuple[dict[str, float], datetime | None, np.datetime64 | None]:
    """Return the parts' shares, the newest moment of all and that of training.

    Without a time all rows are for training.
    """
    if roles.time is None:
        return {"train": 1.0, "validation": 0.0, "test": 0.0}, None, None
    found = database.execute(
        f"SELECT epoch_us({quoted(roles.time)}) // 1000000 AS t FROM data "
        f"WHERE {quoted(roles.time)} IS NOT NULL"
    ).fetchnumpy()["t"]
    times = np.asarray(found, dtype=np.int64).astype("datetime64[s]")
    if not len(times):
        raise BadInput(f"no row has a time in {roles.time!r}")
    newest = datetime.fromtimestamp(int(times.max().astype(np.int64)), UTC)
    embargo = np.timedelta64(round(wishes.embargo_s), "s")
    splits = split_by_time(times, wishes.shares, embargo=embargo)
    return splits.shares(), newest, splits.train_until


# --- writing ----------------------------------------------------------------------------------


def _manifest(database: duckdb.DuckDBPyConnection, table: str, roles: Roles) -> TableManifest:
    columns = columns_of_table(database, table)
    sha, rows = hashlib.sha256(), 0
    parts = ", ".join(
        f"coalesce(length(CAST({quoted(one.name)} AS VARCHAR)) || ':' || "
        f"CAST({quoted(one.name)} AS VARCHAR), '-')"
        for one in columns
    )
    result = database.execute(f"SELECT sha256(concat({parts})) FROM {table}")
    while found := result.fetchmany(_CHUNK):
        rows += len(found)
        sha.update("".join(row[0] for row in found).encode())
    return TableManifest(
        columns=tuple(ColumnManifest(name=one.name, type=one.sql_type) for one in columns),
        rows=rows,
        sha256=sha.hexdigest(),
        roles=roles,
    )


def _write(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write the table; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.{uuid4().hex}"
    try:
        database.execute(f"COPY data TO {literal(str(partial))} (FORMAT parquet, COMPRESSION zstd)")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _rows(database: duckdb.DuckDBPyConnection) -> int:
    found = database.execute("SELECT count(*) FROM data").fetchone()
    return int(found[0]) if found else 0


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
