"""Looks after the models that serve: a report on each every day, and whenever somebody asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np

from app.domain.ids import new_id
from app.domain.model_reports import Calls, ModelReport, Origin, SaidValue, SettledCase
from app.domain.views import Position
from app.services.models.model_report import RECENT, Frame, report
from app.services.paging import Page, checked_limit, cut, decode_cursor
from app.services.predictions.panels import read_panel
from app.services.predictions.prediction_ports import BundleReader
from inference.bundle import Bundle
from inference.cards import ModelCard
from inference.datasets.views import FeatureView, Table
from inference.errors import InferenceError
from inference.requests import Floats
from tools.market.ports import BarStore

SETTLED = 5_000
"""Newest settled forecasts that are read."""
REFERENCE = 1_000
"""Bars of each instrument before the model's data ended that are its reference."""
_SPAN = timedelta(days=7)
_EVERY = timedelta(days=1)
_FRESH = timedelta(minutes=5)
_MOST_SYMBOLS = 60
_LONGEST_MEMORY = 22
"""Bars that the slowest common feature averages over: neighbours share that much."""


class ReportStore(Protocol):
    """What reports are made of; met by `app.storage.model_reports`."""

    async def settled(self, model_id: UUID, *, limit: int) -> list[SettledCase]: ...

    async def calls(self, model_id: UUID, *, since: datetime, now: datetime) -> Calls: ...

    async def values(self, model_id: UUID, *, limit: int) -> list[SaidValue]: ...

    async def origin(self, model_id: UUID) -> Origin | None: ...

    async def insert(self, report: ModelReport) -> None: ...

    async def page(
        self, model_id: UUID, *, before: Position | None, limit: int
    ) -> list[ModelReport]: ...

    async def in_use(self) -> list[UUID]: ...


class Cards(Protocol):
    """Where cards are; `app.services.models.models.Models`."""

    async def get(self, model_id: UUID) -> ModelCard: ...


class ModelHealth:
    """The use cases."""

    def __init__(
        self,
        store: ReportStore,
        models: Cards,
        bundles: BundleReader,
        bars: BarStore,
        views: Mapping[str, FeatureView],
        *,
        clock: Callable[[], datetime],
        reported: Callable[[ModelReport], Awaitable[object]] | None = None,
    ) -> None:
        """`reported` hears of every report on a version that serves."""
        self._store = store
        self._models = models
        self._bundles = bundles
        self._bars = bars
        self._views = views
        self._clock = clock
        self._reported = reported

    async def newest(self, model_id: UUID) -> ModelReport:
        """Return how a model does now; a report of the last minutes serves as well.

        Raises:
            NotFound: there is no such model.
        """
        card = await self._models.get(model_id)
        stored = await self._store.page(card.id, before=None, limit=1)
        if stored and self._clock() - stored[0].created_at < _FRESH:
            return stored[0]
        return await self.look_at(card)

    async def page(self, model_id: UUID, *, cursor: str | None, limit: int) -> Page[ModelReport]:
        """Return a model's reports, newest first.

        Raises:
            NotFound: there is no such model.
        """
        await self._models.get(model_id)
        found = await self._store.page(
            model_id, before=decode_cursor(cursor), limit=checked_limit(limit) + 1
        )
        return cut(found, limit, lambda one: (one.created_at, one.id))

    async def look_at(self, card: ModelCard) -> ModelReport:
        """Measure how a model does, and keep that."""
        now = self._clock()
        notes: list[str] = []
        bundle = await self._bundle(card, notes)
        frames = {} if bundle is None else await self._frames(card, bundle, notes)
        calls = await self._store.calls(card.id, since=now - _SPAN, now=now)
        settled = await self._store.settled(card.id, limit=SETTLED)
        values = await self._store.values(card.id, limit=SETTLED)
        made = await asyncio.to_thread(
            report,
            card,
            report_id=new_id(),
            calls=calls,
            settled=settled,
            values=values,
            frames=frames,
            nominal=None if bundle is None else bundle.head.interval_level,
            notes=notes,
            now=now,
        )
        await self._store.insert(made)
        if self._reported is not None and card.status == "deployed":
            await self._reported(made)
        return made

    async def look_after(self) -> list[ModelReport]:
        """Report on every model in use that has had no report for a day."""
        made = []
        for model_id in await self._store.in_use():
            stored = await self._store.page(model_id, before=None, limit=1)
            if not stored or self._clock() - stored[0].created_at >= _EVERY:
                made.append(await self.look_at(await self._models.get(model_id)))
        return made

    async def _bundle(self, card: ModelCard, notes: list[str]) -> Bundle | None:
        if card.artifact is None:
            return None
        try:
            return await self._bundles(card)
        except InferenceError as error:
            notes.append(f"Its files cannot be read: {error}")
            return None

    async def _frames(self, card: ModelCard, bundle: Bundle, notes: list[str]) -> dict[str, Frame]:
        """Return the columns it reads, where it learned and today."""
        view = self._views.get(bundle.feature_view or "")
        origin = await self._store.origin(card.id)
        if view is None or origin is None:
            notes.append("Inputs are not compared: it did not learn from stored bars.")
            return {}
        panel = await read_panel(
            self._bars,
            origin.symbols[:_MOST_SYMBOLS],
            timeframe=origin.timeframe,
            as_of=self._clock(),
            limit=REFERENCE + view.history_bars + RECENT,
        )
        if not panel.series:
            notes.append("Inputs are not compared: the bars it learned from are gone.")
            return {}
        tables = await asyncio.to_thread(view.compute, panel)
        wanted = [column.name for column in bundle.inputs]
        return await asyncio.to_thread(_split, tables, wanted, origin.as_of, notes)


def _split(
    tables: Mapping[str, Table], wanted: list[str], learned_until: datetime, notes: list[str]
) -> dict[str, Frame]:
    """Cut columns where the model's data ended; if nothing came since, before the newest bars."""
    end = np.datetime64(learned_until.replace(tzinfo=None), "s")
    since = sum(int((table.times > end).sum()) for table in tables.values())
    fresh = since >= RECENT
    if not fresh:
        notes.append(
            f"Only {since} bars have come since it learned: its newest {RECENT} bars of each "
            "instrument are compared with those before."
        )
    frames = {}
    for name in wanted:
        before: list[Floats] = []
        after: list[Floats] = []
        for table in tables.values():
            if (column := table.columns.get(name)) is None:
                continue
            cut_at = int(np.searchsorted(table.times, end, side="right")) if fresh else -RECENT
            before.append(column[:cut_at][-REFERENCE:])
            after.append(column[cut_at:][-RECENT:])
        if before:
            overlap = _LONGEST_MEMORY * len(before)
            frames[name] = Frame(np.concatenate(before), np.concatenate(after), overlap=overlap)
    return frames
