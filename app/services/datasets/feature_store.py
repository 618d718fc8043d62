"""The feature store as people and programs use it: its views, and their values now and then.

*Online* are the newest values of each entity, in the database; *offline* is everything that was
ever known, in Parquet. Both give what was known at a moment, never what was learned later.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec
import numpy as np

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.features import (
    FeatureCard,
    FeatureValues,
    HistoricValues,
    NewFeatureSet,
    OfflineState,
    OnlineCounts,
    OnlineState,
    OnlineStatus,
)
from app.services.datasets.dataset_catalog import DatasetCatalog
from inference.datasets.feature_sets import (
    DAILY,
    FeatureSet,
    Value,
    ValueColumn,
    check_definition,
    of_view,
)
from inference.datasets.intake import TableManifest
from inference.datasets.offline_features import Cursor, OfflineFeatures, OnlineRow
from inference.datasets.offline_index import OfflineIndex
from inference.datasets.point_in_time import Asked
from inference.datasets.tables import TableColumn
from inference.datasets.views import FeatureView
from inference.errors import BadInput, DamagedArtifact
from tools.market.bars import TIMEFRAMES

MOST_ENTITIES = 1_000
MOST_PAIRS = 10_000
DEFAULT_TTL_S = 30 * 86_400.0


class FeatureTables(Protocol):
    """Keeps declared views and online values; met by `app.storage.features`."""

    async def declare(self, new: NewFeatureSet) -> FeatureSet: ...

    async def declared(self) -> list[FeatureSet]: ...

    async def write(self, view: FeatureSet, rows: Sequence[OnlineRow]) -> int: ...

    async def read(self, view: FeatureSet, entities: Sequence[str]) -> dict[str, OnlineRow]: ...

    async def page(self, view: FeatureSet, *, after: str, limit: int) -> list[OnlineRow]: ...

    async def counts(self, view: FeatureSet, *, now: datetime) -> OnlineCounts | None: ...

    async def cursor(self, view: FeatureSet) -> tuple[Cursor, datetime] | None: ...

    async def set_cursor(self, view: FeatureSet, cursor: Cursor, *, now: datetime) -> None: ...


class FeatureWish(msgspec.Struct, frozen=True, kw_only=True):
    """A view that somebody wants over a dataset."""

    name: str
    dataset: str
    """Its id or name."""
    description: str = ""
    entity: str | None = None
    """Column; None: the one the dataset was collected with, and so of the next two."""
    time: str | None = None
    known: str | None = None
    columns: tuple[str, ...] = ()
    """None named: all that are neither moments nor one of those three."""
    ttl_seconds: float = DEFAULT_TTL_S
    lag_seconds: float = 0.0


class FeatureStore:
    """The use cases that read; `feature_materializing` fills it."""

    def __init__(
        self,
        tables: FeatureTables,
        offline: OfflineFeatures,
        datasets: DatasetCatalog,
        market_views: Mapping[str, FeatureView],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._tables = tables
        self._offline = offline
        self._datasets = datasets
        self._market = {
            (one := of_view(view, timeframe)).key: one
            for view in market_views.values()
            for timeframe in (DAILY, *(name for name in TIMEFRAMES if name != DAILY))
        }
        self._clock = clock

    # --- views ----------------------------------------------------------------------------------

    async def declare(self, wish: FeatureWish, *, by: UUID | None) -> FeatureSet:
        """Keep a view over a dataset; the same again is the same version.

        Raises:
            NotFound: there is no such dataset.
            Conflict: it has not been collected yet.
            Invalid: a column is not there or cannot be a feature, or the name is not allowed.
        """
        dataset = await self._datasets.find(wish.dataset)
        versions = await self._datasets.versions(dataset.id)
        if not versions:
            raise Conflict(f"{dataset.name} has not been collected yet.", code="not_collected")
        if versions[0].manifest.get("kind") != "table":
            raise Invalid(
                f"{dataset.name} holds no table; a feature view is made of a collected table."
            )
        manifest = msgspec.convert(versions[0].manifest, TableManifest)
        definition = _defined(wish, dataset.name, manifest)
        if self._of_market(definition.name):
            raise Conflict(f"{wish.name} is one of the desk's own views.", code="name_taken")
        return await self._tables.declare(
            NewFeatureSet(definition=definition, dataset_id=dataset.id, created_by=by)
        )

    async def definitions(self) -> list[FeatureSet]:
        """Return every view: the market's, then the declared ones.

        Of the market's views of other bars than daily ones only those that hold something.
        """
        return [*await asyncio.to_thread(self._in_use), *await self._tables.declared()]

    def _of_market(self, name: str) -> list[FeatureSet]:
        return [one for one in self._market.values() if one.name == name]

    def _in_use(self) -> list[FeatureSet]:
        every = self._market.values()
        return [one for one in every if one.timeframe == DAILY or self._offline.has(one)]

    async def definition(self, reference: str) -> FeatureSet:
        """Return a view: `NAME@VERSION`, or the newest of a `NAME`.

        Raises:
            NotFound: there is none.
        """
        name, _, number = reference.partition("@")
        # A declared view never has the name of one of the market's.
        known = self._of_market(name) or await self.definitions()
        found = [one for one in known if one.name == name and number in ("", str(one.version))]
        if not found:
            there = ", ".join(one.key for one in known)
            raise NotFound(
                f"There is no feature view {reference[:100]!r}; there are: {there}.",
                code="unknown_view",
            )
        return max(found, key=lambda one: one.version)

    async def cards(self) -> list[FeatureCard]:
        """Return every view, and where its values stand."""
        return [await self._card(one) for one in await self.definitions()]

    async def card(self, reference: str) -> FeatureCard:
        """Return one view, and where its values stand.

        Raises:
            NotFound: there is none.
        """
        return await self._card(await self.definition(reference))

    async def _card(self, view: FeatureSet) -> FeatureCard:
        now = self._clock()
        index = await self.offline_index(view)
        counts = await self._tables.counts(view, now=now)
        taken = await self._tables.cursor(view)
        return FeatureCard(
            **{name: getattr(view, name) for name in view.__struct_fields__},
            view=view.key,
            status=_status(view, index, counts, taken and taken[0], now),
            offline=None if index is None else _offline_state(index),
            online=None
            if counts is None or taken is None
            else OnlineState(
                entities=counts.entities,
                newest_event_at=counts.newest_event_at,
                materialized_at=taken[1],
                stale=counts.stale,
            ),
        )

    async def offline_index(self, view: FeatureSet) -> OfflineIndex | None:
        """Return what is stored offline.

        Raises:
            Conflict: it is damaged.
        """
        try:
            return await asyncio.to_thread(self._offline.index, view)
        except DamagedArtifact as damaged:
            raise Conflict(f"{_upper(damaged)}.", code=damaged.code) from damaged

    # --- values ---------------------------------------------------------------------------------

    async def values(self, view: FeatureSet, entities: Sequence[str]) -> list[FeatureValues]:
        """Return what is online of some entities, in their order.

        Raises:
            Invalid: there are too many.
        """
        if len(entities) > MOST_ENTITIES:
            raise Invalid(f"At most {MOST_ENTITIES:,} entities may be asked for at once.")
        found = await self._tables.read(view, entities)
        now = self._clock()
        return [served(one, found.get(one), view, now) for one in entities]

    async def page(self, view: FeatureSet, *, after: str, limit: int) -> list[FeatureValues]:
        """Return what is online, by entity."""
        rows = await self._tables.page(view, after=after, limit=limit)
        now = self._clock()
        return [served(row.entity, row, view, now) for row in rows]

    async def history(
        self, view: FeatureSet, pairs: Sequence[tuple[str, datetime]]
    ) -> list[HistoricValues]:
        """Return what stood at each moment, in the order that was asked for.

        Raises:
            Invalid: there are too many, or a moment lies ahead of now.
            Conflict: what is stored is damaged.
        """
        if len(pairs) > MOST_PAIRS:
            raise Invalid(f"At most {MOST_PAIRS:,} moments may be asked for at once.")
        now = self._clock()
        if any(time > now for _, time in pairs):
            raise Invalid(
                "A moment lies ahead of now: nobody knows what will be.", code="look_ahead"
            )
        if not pairs:
            return []
        times = np.array(
            [time.astimezone(UTC).replace(tzinfo=None) for _, time in pairs], "datetime64[us]"
        )
        asked = Asked([entity for entity, _ in pairs], times)
        try:
            found = await asyncio.to_thread(self._offline.at, view, asked)
        except DamagedArtifact as damaged:
            raise Conflict(f"{_upper(damaged)}.", code=damaged.code) from damaged
        columns = {name: column.tolist() for name, column in found.columns.items()}
        present = found.present
        answers = []
        for row, (entity, time) in enumerate(pairs):
            if not present[row]:
                answers.append(HistoricValues(entity=entity, time=time))
                continue
            values = {name: _value(column[row]) for name, column in columns.items()}
            answers.append(
                HistoricValues(
                    entity=entity,
                    time=time,
                    event_time=_utc(found.event_times[row]),
                    known_at=_utc(found.known_at[row]),
                    values=values,
                )
            )
        return answers


def served(entity: str, row: OnlineRow | None, view: FeatureSet, now: datetime) -> FeatureValues:
    """Return a stored row as it may be used at a moment."""
    if row is None:
        return FeatureValues(entity=entity, status="missing")
    fresh = row.event_time >= now - view.ttl
    return FeatureValues(
        entity=entity,
        status="fresh" if fresh else "stale",
        event_time=row.event_time,
        known_at=row.known_at,
        age_seconds=(now - row.event_time).total_seconds(),
        values=row.values if fresh else None,
    )


def _defined(wish: FeatureWish, dataset: str, manifest: TableManifest) -> FeatureSet:
    columns = {one.name: TableColumn(one.name, one.type) for one in manifest.columns}
    roles = manifest.roles
    entity, time = wish.entity or roles.entity, wish.time or roles.time
    known = wish.known or roles.known
    if entity is None or time is None:
        raise Invalid("Say which column is the entity and which says when (`entity`, `time`).")
    for said, name in (("entity", entity), ("time", time), ("known", known)):
        if name is not None and name not in columns:
            raise Invalid(f"`{said}`: {dataset} has no column {name!r}; it has {list(columns)}.")
        if name is not None and said != "entity" and not columns[name].is_time:
            raise Invalid(f"`{said}`: the column {name!r} of {dataset} does not hold moments.")
    if known is not None and wish.lag_seconds:
        raise Invalid("`lagSeconds` is for rows that do not say since when they were known.")
    own = {entity, time, known}
    named = wish.columns or tuple(
        name for name, column in columns.items() if name not in own and not column.is_time
    )
    for name in named:
        if name not in columns:
            raise Invalid(f"`columns`: {dataset} has no column {name!r}; it has {list(columns)}.")
        if columns[name].is_time:
            raise Invalid(f"`columns`: {name!r} holds moments, which are no feature.")
    try:
        return check_definition(
            FeatureSet(
                name=wish.name,
                version=1,
                entity=entity,
                columns=tuple(_column(columns[name]) for name in named),
                ttl_seconds=wish.ttl_seconds,
                source="dataset",
                description=wish.description,
                dataset=dataset,
                time=time,
                known=known,
                lag_seconds=wish.lag_seconds,
            )
        )
    except BadInput as wrong:
        raise Invalid(f"{_upper(wrong)}.") from None


def _column(column: TableColumn) -> ValueColumn:
    if column.is_number:
        return ValueColumn(name=column.name)
    return ValueColumn(name=column.name, kind="truth" if column.sql_type == "BOOLEAN" else "text")


def _status(
    view: FeatureSet,
    index: OfflineIndex | None,
    counts: OnlineCounts | None,
    cursor: Cursor | None,
    now: datetime,
) -> OnlineStatus:
    if index is not None and (
        cursor is None or cursor.store != index.store or cursor.batch < index.batch
    ):
        return "behind"
    if counts is None:
        return "empty"
    return "stale" if counts.newest_event_at < now - view.ttl else "fresh"


def _offline_state(index: OfflineIndex) -> OfflineState:
    return OfflineState(
        rows=index.rows,
        corrections=index.corrections,
        entities=index.entities,
        files=len(index.files),
        size_bytes=index.size,
        first_event_at=index.first_event_at,
        newest_event_at=index.newest_event_at,
        built_at=index.built_at,
    )


def _value(value: Value) -> Value:
    return None if value is None or value != value else value


def _utc(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


def _upper(wrong: Exception) -> str:
    text = str(wrong)
    return text[:1].upper() + text[1:]
