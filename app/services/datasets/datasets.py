"""Versions of datasets of bars: recorded with what is in them, found again by content.

A version's numbers lie as a file beside the database, so that a model can be trained again on
exactly what it was trained on, whatever has been corrected since.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.datasets import DatasetVersion, DatasetWishes, NewDatasetVersion
from app.domain.errors import Conflict, Invalid, NotFound
from app.services.datasets.dataset_sources import BARS_OF_THE_DESK
from app.services.models.learned_markets import market_notes
from app.services.predictions.panels import as_known, read_panel
from inference.datasets.bars_profile import describe_bars
from inference.datasets.intake import TableManifest, check_table, table_path
from inference.datasets.snapshots import read_snapshot, snapshot_path, write_snapshot
from inference.datasets.table_data import TablePlan
from inference.datasets.texts import (
    Texts,
    TextsManifest,
    read_texts,
    texts_manifest,
    texts_path,
    write_texts,
)
from inference.datasets.versions import BarsManifest, manifest_of, read_manifest
from inference.errors import DamagedArtifact
from inference.panel import Panel
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES
from tools.market.instruments import Instrument
from tools.market.ports import BarStore, InstrumentStore
from tools.market.replays import is_replay
from tools.market.signals import market_of
from tools.market.symbols import nearest

_SHOWN = 6
_DIGEST = re.compile(r"[0-9a-f]{12,64}")


class DatasetStore(Protocol):
    """Keeps datasets; met by `app.storage.datasets`."""

    async def record(self, new: NewDatasetVersion) -> DatasetVersion: ...

    async def find_version(self, name: str, version: int | None) -> DatasetVersion | None: ...

    async def find_digest(self, digest: str) -> DatasetVersion | None: ...

    async def wishes(self, dataset_id: UUID) -> DatasetWishes: ...


class BarsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars a dataset shall hold: of some instruments, of a market, or all of the desk."""

    symbols: tuple[str, ...] = ()
    market: str | None = None
    """As `equity USD`: one kind of thing in one currency."""
    timeframe: str = "1d"
    as_of: datetime
    """Bars that had closed by then, UTC."""
    as_known: bool = False
    """As the desk knew them then, and not as they have been corrected since."""


class TableRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is to a training: whose it is, and how its rows are parted and prepared."""

    dataset: str
    """The dataset's name."""
    plan: TablePlan


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A version and where its numbers lie."""

    version: DatasetVersion
    manifest: BarsManifest | TextsManifest | TableManifest
    table: TableRecorded | None = None
    """Where it is one that was collected."""
    path: Path
    survivorship: tuple[str, ...] = ()
    """What has to be said about how its instruments were picked, and what stands beside them."""

    @property
    def as_of(self) -> datetime:
        """Up to when what it holds was known; of rows without a time, when they were recorded."""
        if isinstance(self.manifest, TableManifest):
            return self.version.as_of or self.version.created_at
        return self.manifest.as_of

    @property
    def bars(self) -> BarsManifest | None:
        """The manifest, where it is one of bars."""
        return self.manifest if isinstance(self.manifest, BarsManifest) else None

    @property
    def texts(self) -> TextsManifest | None:
        """The manifest, where it is one of labelled texts."""
        return self.manifest if isinstance(self.manifest, TextsManifest) else None


class Datasets:
    """The use cases of versions of bars."""

    def __init__(
        self, store: DatasetStore, instruments: InstrumentStore, bars: BarStore, root: Path
    ) -> None:
        """Args:
        root: the folder of the versions' files.
        """
        self._store = store
        self._instruments = instruments
        self._bars = bars
        self._root = root

    async def record_bars(self, wanted: BarsWanted, *, by: UUID | None) -> Recorded:
        """Read the bars, and record them as a version of their dataset.

        Doing it again with the same bars finds the same version.

        Raises:
            NotFound: a symbol is unknown.
            Invalid: the timeframe or market is unknown, or there are no such bars.
        """
        chosen = await self._chosen(wanted)
        symbols, frame, at = [one.symbol for one in chosen], wanted.timeframe, wanted.as_of
        known = None
        if wanted.as_known:
            known = await as_known(self._bars, symbols, timeframe=frame, at=at, end=at)
        panel = await read_panel(self._bars, symbols, timeframe=frame, as_of=at, known=known)
        if not panel.series:
            raise Invalid(
                f"There are no {wanted.timeframe} bars up to {wanted.as_of:%Y-%m-%d} of what was "
                "asked for."
            )
        by_symbol = {one.symbol: one for one in chosen}
        manifest = await asyncio.to_thread(
            manifest_of, panel, sources={one.symbol: one.source for one in chosen}
        )
        path = await asyncio.to_thread(write_snapshot, self._root, panel, manifest)
        features, report = await asyncio.to_thread(describe_bars, panel, now=wanted.as_of)
        version = await self._store.record(
            NewDatasetVersion(
                name=_name(wanted, manifest.symbols),
                description=_description(manifest),
                source={"type": "database", "uri": BARS_OF_THE_DESK, "query": _query(wanted)},
                features=[msgspec.to_builtins(one) for one in features],
                quality=msgspec.to_builtins(report),
                splits={
                    "train": manifest.splits.train,
                    "validation": manifest.splits.validation,
                    "test": manifest.splits.test,
                },
                digest=manifest.digest(),
                manifest=msgspec.to_builtins(manifest, builtin_types=()),
                size=manifest.rows,
                as_of=manifest.as_of,
                storage_location=path.as_uri(),
                created_by=by,
            )
        )
        used = [by_symbol[symbol] for symbol in manifest.symbols]
        return Recorded(
            version=version,
            manifest=manifest,
            path=path,
            survivorship=(
                *_survivorship(used),
                *market_notes(used, await self._instruments.all()),
            ),
        )

    async def record_texts(
        self, name: str, texts: Texts, *, source: str, now: datetime, by: UUID | None
    ) -> Recorded:
        """Record labelled texts as a version of the dataset of this name.

        Raises:
            BadInput: there are none, or the columns differ in length.
        """
        manifest = texts_manifest(texts, recorded_at=now, source=source)
        path = await asyncio.to_thread(write_texts, self._root, texts, manifest)
        version = await self._store.record(
            NewDatasetVersion(
                name=name,
                description="Labelled texts, as they were given.",
                source={"type": "file", "uri": source},
                features=[
                    {"name": "text", "type": "text", "statistics": {}},
                    {"name": "label", "type": "categorical", "statistics": {}},
                ],
                splits={},
                digest=manifest.digest(),
                manifest=msgspec.to_builtins(manifest),
                size=manifest.rows,
                as_of=manifest.as_of,
                storage_location=path.as_uri(),
                created_by=by,
            )
        )
        return Recorded(version=version, manifest=manifest, path=path)

    async def check(self, wanted: BarsWanted) -> None:
        """See that what is wanted is known here.

        Raises:
            NotFound: a symbol is unknown.
            Invalid: the timeframe or market is unknown.
        """
        await self._chosen(wanted)

    async def is_here(self, digest: str) -> bool:
        """Tell whether a version's numbers lie on this machine."""
        ways = (snapshot_path, texts_path, table_path)
        paths = [way(self._root, digest) for way in ways]
        return await asyncio.to_thread(lambda: any(path.exists() for path in paths))

    async def recorded(self, reference: str) -> Recorded:
        """Return an earlier version: `NAME`, `NAME@3`, or its address (12 hex digits or more).

        Raises:
            NotFound: there is none.
            Conflict: its numbers are not on this machine any more, or are damaged.
        """
        version = await self._find(reference)
        if version is None:
            raise NotFound(f"There is no dataset {reference!r}.", code="unknown_dataset")
        try:
            if version.manifest.get("kind") == "table":
                return await self._table(version)
            if version.manifest.get("kind") == "texts":
                read = msgspec.convert(version.manifest, TextsManifest)
                path = texts_path(self._root, version.digest)
                await asyncio.to_thread(read_texts, path, read)
                return Recorded(version=version, manifest=read, path=path)
            manifest = read_manifest(version.manifest)
            path = snapshot_path(self._root, version.digest)
            await asyncio.to_thread(read_snapshot, path, manifest)
        except FileNotFoundError:
            raise Conflict(
                f"The numbers of {version.name}@{version.version} are not on this machine.",
                code="dataset_not_here",
            ) from None
        except DamagedArtifact as damaged:
            raise Conflict(f"{damaged}.", code=damaged.code) from damaged
        stored = {one.symbol: one for one in await self._instruments.all()}
        used = [stored[symbol] for symbol in manifest.symbols if symbol in stored]
        return Recorded(
            version=version,
            manifest=manifest,
            path=path,
            survivorship=(*_survivorship(used), *market_notes(used, list(stored.values()))),
        )

    async def _table(self, version: DatasetVersion) -> Recorded:
        wishes = await self._store.wishes(version.dataset_id)
        manifest = msgspec.convert(version.manifest, TableManifest)
        path = table_path(self._root, version.digest)
        await asyncio.to_thread(check_table, path, manifest)
        plan = TablePlan(
            manifest=manifest,
            shares=wishes.wishes.shares,
            embargo_s=wishes.wishes.embargo_s,
            steps=wishes.steps,
        )
        return Recorded(
            version=version,
            manifest=manifest,
            path=path,
            table=TableRecorded(dataset=version.name, plan=plan),
        )

    async def read(self, recorded: Recorded) -> Panel:
        """Return a version's numbers.

        Raises:
            Invalid: it holds none.
        """
        if recorded.bars is None:
            raise Invalid(f"{recorded.version.name} holds no bars.")
        return await asyncio.to_thread(read_snapshot, recorded.path, recorded.bars)

    async def _find(self, reference: str) -> DatasetVersion | None:
        name, sign, number = reference.rpartition("@")
        if sign and number.isdecimal() and len(number) < 9:
            return await self._store.find_version(name, int(number))
        found = await self._store.find_version(reference, None)
        if found is None and _DIGEST.fullmatch(reference):
            return await self._store.find_digest(reference)
        return found

    async def _chosen(self, wanted: BarsWanted) -> list[Instrument]:
        if wanted.timeframe not in TIMEFRAMES:
            raise Invalid(f"The timeframe must be one of {', '.join(TIMEFRAMES)}.")
        known = [one for one in await self._instruments.all() if not is_replay(one.symbol)]
        by_symbol = {one.symbol: one for one in known}
        if wanted.symbols:
            for symbol in wanted.symbols:
                if symbol not in by_symbol:
                    unknown = UnknownSymbol(symbol[:40], nearest=nearest(symbol, known))
                    raise NotFound(unknown.message, code="unknown_symbol")
            return [by_symbol[symbol] for symbol in sorted(set(wanted.symbols))]
        if wanted.market is None:
            return known
        chosen = [one for one in known if market_of(one) == wanted.market]
        if not chosen:
            markets = ", ".join(sorted({market_of(one) for one in known})) or "none yet"
            raise Invalid(f"There is no market {wanted.market!r} here; there are: {markets}.")
        return chosen


def _name(wanted: BarsWanted, symbols: Sequence[str]) -> str:
    if wanted.symbols:
        asked = sorted(set(wanted.symbols))
        shown = ", ".join(asked[:_SHOWN])
        more = f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
        return f"Bars of {shown}{more}, {wanted.timeframe}"
    return f"Bars of {wanted.market or 'everything'}, {wanted.timeframe}"


def _description(manifest: BarsManifest) -> str:
    return (
        f"Closed {manifest.timeframe} bars of the desk; {manifest.adjustment}. "
        "Each version holds what had closed at its asOf."
    )


def _query(wanted: BarsWanted) -> str:
    what = ", ".join(sorted(set(wanted.symbols))) or wanted.market or "all instruments"
    return f"{what}; {wanted.timeframe}"


def _survivorship(instruments: Iterable[Instrument]) -> tuple[str, ...]:
    """Return what the sources say about how these instruments were picked, each once."""
    said = (one.provenance.get("survivorship") for one in instruments)
    return tuple(dict.fromkeys(text for text in said if isinstance(text, str) and text))
