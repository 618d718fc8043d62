"""The offline half of the feature store: everything that was ever known, as Parquet.

A view's rows lie in one folder, in files by year of the event, each written once. What belongs to
the store is said by its index, which is replaced in one step after the files are on the disk: a
process that dies before leaves files that nobody reads, and the next one removes them.
"""

import fcntl
import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import duckdb
import msgspec
import numpy as np

from inference.datasets.feature_merge import News, find_news
from inference.datasets.feature_sets import FeatureSet, Value
from inference.datasets.offline_index import (
    INDEX,
    LOCK,
    FeatureFile,
    OfflineIndex,
    read_index,
    sweep,
    write_index,
)
from inference.datasets.point_in_time import Asked, Found, join
from inference.datasets.tables import literal, opened, quoted
from inference.errors import DamagedArtifact

T = TypeVar("T")
_MOST_FILES = 12
"""A year in more files than this is written anew as one."""
_FOLDER = re.compile(r"[a-z0-9_.]+@\d+")
_TYPES = {"number": "DOUBLE", "text": "VARCHAR", "truth": "BOOLEAN"}


class Cursor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Up to where the online store has got."""

    store: str = ""
    batch: int = 0
    until: datetime = datetime(1, 1, 1, tzinfo=UTC)
    """Rows that were known later have not been taken, though they were stored."""


class OnlineRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entity's newest values."""

    entity: str
    event_time: datetime
    known_at: datetime
    values: dict[str, Value]


class OfflineFeatures:
    """The views' folders below one root; safe to use from several threads and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, definition: FeatureSet) -> Path:
        """Return where a view's files lie."""
        assert _FOLDER.fullmatch(definition.key)  # noqa: S101 - a name is no path
        return self._root / definition.key

    def has(self, definition: FeatureSet) -> bool:
        """Tell whether anything is stored of a view."""
        return (self.folder(definition) / INDEX).is_file()

    def index(self, definition: FeatureSet) -> OfflineIndex | None:
        """Return what is stored of a view; None if nothing is.

        Raises:
            DamagedArtifact: the index cannot be read.
        """
        return read_index(self.folder(definition))

    def add(
        self,
        definition: FeatureSet,
        fill: Callable[[duckdb.DuckDBPyConnection], None],
        *,
        seen: datetime,
        applied: int | None = None,
        progress: Callable[[float, str], None] = lambda share, stage: None,
    ) -> News:
        """Add what is news among the rows that `fill` puts into the table `incoming`.

        `seen` is what a correction is known since, UTC. `applied` is noted with them. `progress`
        may raise to stop; then nothing was added.

        Raises:
            DamagedArtifact: what is stored cannot be read.
        """
        with opened() as database, self._locked(definition) as folder:
            index = self.index(definition)
            sweep(folder, index)
            database.execute(f"CREATE TEMP TABLE incoming ({_columns(definition)})")
            fill(database)
            progress(0.4, "comparing")
            _drop_repeats(database)
            with _damage_told(definition):
                news = find_news(
                    database,
                    _stored(folder, index, definition),
                    definition,
                    seen=np.datetime64(seen.astimezone(UTC).replace(tzinfo=None), "us"),
                )
                if news.rows:
                    progress(0.6, "writing")
                    index = _write(database, folder, definition, index, news, seen)
                if index is not None and (news.rows or applied not in (None, index.applied)):
                    noted = index.applied if applied is None else applied
                    index = msgspec.structs.replace(index, applied=noted)
                    write_index(folder, index)
        progress(1.0, "written")
        return news

    def newest(
        self,
        definition: FeatureSet,
        cursor: Cursor,
        *,
        now: datetime,
        after: str = "",
        at_once: int = 1_000,
    ) -> Generator[list[OnlineRow]]:
        """Yield the newest values of each entity behind `after` that has news since `cursor`.

        What had not happened, or was not known, by `now` is left for a later time.
        """
        columns = "".join(f", r.{quoted(name)}" for name in definition.names)
        from_ = "greatest(__event, __known)"
        with opened() as database:
            index, rows = self._rows(definition)
            if index is None:
                return
            since = cursor if cursor.store == index.store else Cursor()
            with _damage_told(definition):
                database.execute(
                    f"""
                    CREATE TEMP TABLE newest AS
                    WITH last AS (
                        SELECT __entity, max({{'e': __event, 'k': __known}}) AS at FROM {rows}
                         WHERE {from_} <= {_moment(now)} AND __entity > {literal(after)}
                           AND (__batch > {since.batch} OR {from_} > {_moment(since.until)})
                         GROUP BY __entity
                    )
                    SELECT r.__entity, r.__event, r.__known{columns}
                      FROM {rows} r JOIN last n
                        ON r.__entity = n.__entity AND r.__event = n.at.e AND r.__known = n.at.k
                    """
                )
            result = database.execute("SELECT * FROM newest ORDER BY __entity")
            while found := result.fetchmany(at_once):
                yield [_online(row, definition) for row in found]

    def at(self, definition: FeatureSet, asked: Asked) -> Found:
        """Return what stood at the moments that are asked for.

        Raises:
            DamagedArtifact: what is stored cannot be read.
        """
        return self.read(definition, lambda database, rows: join(database, rows, asked, definition))

    def read(self, definition: FeatureSet, use: Callable[[duckdb.DuckDBPyConnection, str], T]) -> T:
        """Return what `use` makes of a view's rows, which it gets as SQL.

        Raises:
            DamagedArtifact: what is stored cannot be read.
        """
        for attempt in (1, 2):
            with opened() as database:
                index, rows = self._rows(definition)
                try:
                    with _damage_told(definition):
                        return use(database, rows)
                except DamagedArtifact:
                    # Files are removed only when the index has been replaced twice meanwhile.
                    if attempt == 2 or self.index(definition) == index:
                        raise
        raise AssertionError("unreachable")

    @contextmanager
    def _locked(self, definition: FeatureSet) -> Iterator[Path]:
        """Let one process at a time change a view."""
        folder = self.folder(definition)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder

    def _rows(self, definition: FeatureSet) -> tuple[OfflineIndex | None, str]:
        index = self.index(definition)
        return index, _stored(self.folder(definition), index, definition)


def _write(
    database: duckdb.DuckDBPyConnection,
    folder: Path,
    definition: FeatureSet,
    index: OfflineIndex | None,
    news: News,
    seen: datetime,
) -> OfflineIndex:
    """Write the files of what is news, and return the index that is to hold them."""
    batch = 1 if index is None else index.batch + 1
    names = ", ".join(quoted(name) for name in definition.names)
    database.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE added AS
        SELECT __entity, __event, __known, {batch}::BIGINT AS __batch, {names} FROM news
        """
    )
    kept = () if index is None else index.files
    years = [
        int(row[0])
        for row in database.execute("SELECT DISTINCT year(__event) FROM added").fetchall()
    ]
    files, retired = list(kept), []
    for year in sorted(years):
        old = [one for one in kept if one.year == year]
        source = f"(SELECT * FROM added WHERE year(__event) = {year})"
        if len(old) + 1 > _MOST_FILES:
            source = f"({source} UNION ALL SELECT * FROM {_scan(folder, old)})"
            files = [one for one in files if one.year != year]
            retired += [one.name for one in old]
        files.append(_write_file(database, folder, source, year=year, batch=batch))
    entities, first, newest = _totals(database, _scan(folder, files))
    return OfflineIndex(
        store=uuid4().hex if index is None else index.store,
        definition=definition,
        batch=batch,
        files=tuple(files),
        retired=tuple(retired),
        rows=(0 if index is None else index.rows) + news.rows,
        corrections=(0 if index is None else index.corrections) + news.corrected,
        entities=entities,
        first_event_at=first,
        newest_event_at=newest,
        built_at=seen,
        applied=0 if index is None else index.applied,
    )


def _columns(definition: FeatureSet) -> str:
    own = "__entity VARCHAR, __event TIMESTAMP, __known TIMESTAMP"
    return ", ".join(
        (own, *(f"{quoted(one.name)} {_TYPES[one.kind]}" for one in definition.columns))
    )


def _drop_repeats(database: duckdb.DuckDBPyConnection) -> None:
    """Keep the last of several rows of one entity, moment and knowledge."""
    database.execute(
        """
        CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM incoming
        QUALIFY row_number() OVER (
            PARTITION BY __entity, __event, __known ORDER BY rowid DESC) = 1
        """
    )


def _stored(folder: Path, index: OfflineIndex | None, definition: FeatureSet) -> str:
    """Return SQL for what is stored."""
    if index is None or not index.files:
        empty = ", ".join(
            f"NULL::{_TYPES[one.kind]} AS {quoted(one.name)}" for one in definition.columns
        )
        return (
            "(SELECT NULL::VARCHAR AS __entity, NULL::TIMESTAMP AS __event, "
            f"NULL::TIMESTAMP AS __known, NULL::BIGINT AS __batch, {empty} WHERE false)"
        )
    return _scan(folder, index.files)


def _scan(folder: Path, files: Sequence[FeatureFile]) -> str:
    paths = ", ".join(literal(str((folder / one.name).resolve())) for one in files)
    return f"read_parquet([{paths}])"


def _write_file(
    database: duckdb.DuckDBPyConnection, folder: Path, source: str, *, year: int, batch: int
) -> FeatureFile:
    name = f"{year:04d}-01-01_{year:04d}-12-31.{batch:06d}.parquet"
    partial = folder / f".{name}.{uuid4().hex}"
    database.execute(
        f"COPY (SELECT * FROM {source} ORDER BY __entity, __event, __known) "
        f"TO {literal(str(partial))} (FORMAT parquet, COMPRESSION zstd)"
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(folder / name)
    ((rows,),) = database.execute(f"SELECT count(*) FROM {source}").fetchall()
    return FeatureFile(
        name=name,
        year=year,
        rows=int(rows),
        size=(folder / name).stat().st_size,
    )


def _totals(database: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, datetime, datetime]:
    ((entities, first, newest),) = database.execute(
        f"SELECT count(DISTINCT __entity), min(__event), max(__event) FROM {rows}"
    ).fetchall()
    return int(entities), _utc(first), _utc(newest)


@contextmanager
def _damage_told(definition: FeatureSet) -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as wrong:
        raise DamagedArtifact(_damaged(definition, wrong)) from wrong
    except duckdb.InvalidInputException as wrong:
        raise DamagedArtifact(_damaged(definition, wrong)) from wrong


def _damaged(definition: FeatureSet, wrong: Exception) -> str:
    first = str(wrong).strip().splitlines()[0]
    return f"the stored features of {definition.key} cannot be read: {first}"


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _online(row: tuple[Any, ...], definition: FeatureSet) -> OnlineRow:
    entity, event, known, *values = row
    return OnlineRow(
        entity=entity,
        event_time=_utc(event),
        known_at=_utc(known),
        values=dict(zip(definition.names, values, strict=True)),
    )
