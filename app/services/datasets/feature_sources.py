"""Where the rows of feature views come from: the bars of every market, and collected datasets.

Values of the market are computed over its whole history, as a training does, so that both see the
same; a bar that was corrected changes them, which the store takes for a correction of today.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import duckdb
import msgspec
import numpy as np

from app.domain.datasets import Dataset, DatasetVersion
from app.domain.errors import Conflict, Invalid
from app.services.predictions.panels import read_panel
from inference.datasets.feature_sets import DAILY, FeatureSet
from inference.datasets.intake import TableManifest
from inference.datasets.tables import TableColumn, parquet, quoted
from inference.datasets.views import FeatureView, Table
from tools.market.ports import BarStore, InstrumentStore
from tools.market.replays import is_replay
from tools.market.signals import market_of


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a view, ready to be compared with what is stored."""

    what: str
    """In words for people."""
    fill: Callable[[duckdb.DuckDBPyConnection], None]
    """Puts them into the table `incoming`."""
    seen: datetime
    """When the desk learned of them, UTC."""
    applied: int | None = None
    """The dataset's version that they are; None: of no dataset."""


class FeatureSource(Protocol):
    """Brings the rows of the views of one kind."""

    def fillings(self, view: FeatureSet, *, applied: int) -> AsyncIterator[Filling]:
        """Yield the rows in parts; of a dataset those after version `applied`, oldest first.

        Raises:
            Invalid: the view does not fit its source any more.
            Conflict: a file is not here, or damaged.
        """
        ...


class MarketFeatures:
    """Computes the market's views, market by market."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        views: Mapping[str, FeatureView],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._views = views
        self._clock = clock

    async def fillings(self, view: FeatureSet, *, applied: int) -> AsyncIterator[Filling]:
        """Yield the values of each market."""
        made, timeframe = self._views[view.computed_by], view.timeframe or DAILY
        known = [one for one in await self._instruments.all() if not is_replay(one.symbol)]
        for market in sorted({market_of(one) for one in known}):
            symbols = [one.symbol for one in known if market_of(one) == market]
            now = self._clock()
            panel = await read_panel(self._bars, symbols, timeframe=timeframe, as_of=now)
            if not panel.series:
                continue
            tables = await asyncio.to_thread(made.compute, panel)
            yield Filling(what=market, fill=_filler(view, tables), seen=now)


def _filler(
    view: FeatureSet, tables: Mapping[str, Table]
) -> Callable[[duckdb.DuckDBPyConnection], None]:
    values = ", ".join(
        f"CASE WHEN isfinite({quoted(name)}) THEN {quoted(name)} END" for name in view.names
    )

    def fill(database: duckdb.DuckDBPyConnection) -> None:
        for symbol, table in tables.items():
            columns = {name: np.asarray(table.columns[name], np.float64) for name in view.names}
            some = np.zeros(len(table.times), dtype=np.bool_)
            for column in columns.values():
                some |= np.isfinite(column)
            if not some.any():
                continue
            rows = {name: column[some] for name, column in columns.items()}
            rows["__event"] = table.times[some].astype("datetime64[us]")
            database.register("computed", rows)
            database.execute(
                f"INSERT INTO incoming SELECT ?, __event, NULL, {values} FROM computed", [symbol]
            )
            database.unregister("computed")

    return fill


class Tables(Protocol):
    """Finds the versions of datasets; met by `app.services.datasets.dataset_catalog`."""

    async def find(self, reference: str) -> Dataset: ...

    async def versions(self, dataset_id: UUID) -> list[DatasetVersion]: ...

    async def verify(self, dataset: Dataset, version: DatasetVersion) -> Path: ...


class DatasetFeatures:
    """Reads the rows of collected datasets, version by version."""

    def __init__(self, datasets: Tables) -> None:
        self._datasets = datasets

    async def fillings(self, view: FeatureSet, *, applied: int) -> AsyncIterator[Filling]:
        """Yield the versions that have not been taken yet, oldest first.

        Of older versions those whose file has gone are left out: what they said is not known here.
        """
        dataset = await self._datasets.find(view.dataset or "")
        versions = await self._datasets.versions(dataset.id)
        for version in sorted(versions, key=lambda one: one.version):
            if version.version <= applied:
                continue
            try:
                path = await self._datasets.verify(dataset, version)
            except Conflict as gone:
                if gone.code == "dataset_not_here" and version is not versions[0]:
                    continue
                raise
            manifest = msgspec.convert(version.manifest, TableManifest)
            yield Filling(
                what=f"{version.name}@{version.version}",
                fill=_reader(view, version, manifest, path),
                seen=version.created_at,
                applied=version.version,
            )


def _reader(
    view: FeatureSet, version: DatasetVersion, manifest: TableManifest, path: Path
) -> Callable[[duckdb.DuckDBPyConnection], None]:
    columns = {one.name: TableColumn(one.name, one.type) for one in manifest.columns}
    said = f"{version.name}@{version.version}"
    for name in (view.entity, view.time, view.known, *view.names):
        if name is not None and name not in columns:
            raise Invalid(f"{said} has no column {name!r}, which {view.key} reads.")
    for name in (view.time, view.known):
        if name is not None and not columns[name].is_time:
            raise Invalid(f"{said}: the column {name!r} holds no moments any more.")
    values = []
    for column in view.columns:
        found = columns[column.name]
        fits = {
            "number": found.is_number or found.sql_type == "BOOLEAN",
            "truth": found.sql_type == "BOOLEAN",
            "text": not found.is_time,
        }[column.kind]
        if not fits:
            raise Invalid(f"{said}: the column {column.name!r} holds no {column.kind} any more.")
        if column.kind == "text":
            text = f"replace(CAST({quoted(found.name)} AS VARCHAR), chr(0), '')"
            values.append(f"nullif({text}, '')")
        elif column.kind == "number" and found.is_number:
            values.append(found.number)
        else:
            cast = "DOUBLE" if column.kind == "number" else "BOOLEAN"
            values.append(f"CAST({quoted(found.name)} AS {cast})")
    entity = f"replace(CAST({quoted(view.entity)} AS VARCHAR), chr(0), '')"
    time = f"CAST({quoted(view.time or '')} AS TIMESTAMP)"
    known = "NULL" if view.known is None else f"CAST({quoted(view.known)} AS TIMESTAMP)"
    present = [f"{entity} <> ''", f"isfinite({time})"]
    if view.known is not None:
        # A row that does not say since when it was known cannot be used at any moment.
        present.append(f"isfinite({known})")

    def fill(database: duckdb.DuckDBPyConnection) -> None:
        database.execute(
            f"INSERT INTO incoming SELECT {entity}, {time}, {known}, {', '.join(values)} "
            f"FROM {parquet(path)} WHERE {' AND '.join(present)}"
        )

    return fill
