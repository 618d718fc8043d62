"""What a model reads of a market at one moment: the panel, and the row its feature view makes.

Whatever closed after the moment is cut off before anything is computed, so that no view can look
ahead; what a moment has once given is kept for the next model that asks for the same. Bars are read
as they are believed now, or in the versions that the desk had at a moment.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from app.domain.errors import Invalid, NotFound
from app.services.market.instruments import find_instrument
from app.services.predictions.panels import AsKnown, as_known, moment_of, read_panel
from inference.bundle import Bundle
from inference.datasets.views import FeatureView, Table
from inference.panel import Panel, Series
from inference.requests import Rows
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.calendars import calendar_for, closing_times
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.replays import is_replay
from tools.market.signals import market_of
from tools.market.store import BarStore, InstrumentStore

HISTORY = 1_600
"""Bars that are read where a view needs fewer: what baselines are computed from."""
MOST_SYMBOLS = 60
"""So many of a market are read beside the instrument that is asked about, in order of symbol."""
KEPT = 6
_FRESH = timedelta(seconds=60)
"""Bars that another process brought are seen after this at the latest."""


@dataclass(frozen=True, eq=False)
class Case:
    """One instrument at one moment, ready for a model."""

    instrument: Instrument
    timeframe: str
    as_of: datetime
    """When its last bar had closed, UTC."""
    newest: datetime
    """When the newest bar that is stored by now closed: later than `as_of` after the fact."""
    panel: Panel
    """Its market up to `as_of`."""
    rows: Rows
    """One row: the columns of the view."""
    feature_hash: str
    known: AsKnown | None = None
    """Which versions of the bars were read; None: those that were believed when it was made."""

    @property
    def series(self) -> Series:
        return self.panel.of(self.instrument.symbol)

    @property
    def after_the_fact(self) -> bool:
        """Whether a bar was stored already that this forecast did not read."""
        return self.newest > self.as_of

    def reading(self) -> dict[str, object]:
        """Return what a reader has to know of how its bars were read."""
        said: dict[str, object] = {"afterTheFact": True} if self.after_the_fact else {}
        if self.known is not None:
            said["barsKnownAt"] = self.known.at.isoformat()
            if self.known.backfilled:
                said["barsCameLater"] = True
        return said


@dataclass(frozen=True, eq=False)
class _Read:
    """A market at a moment, with the views computed on it so far."""

    panel: Panel
    read_at: datetime
    tables: dict[str, Mapping[str, Table]]


_Key = tuple[str, str, datetime, int, str, AsKnown | None]


class FeatureReader:
    """Reads cases from the stored bars."""

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
        self._kept: OrderedDict[_Key, _Read] = OrderedDict()

    def bars_stored(self, _: BarsStored) -> None:
        """Forget what was read: bars have come, or were corrected. Never waits."""
        self._kept.clear()

    async def case(
        self,
        bundle: Bundle,
        symbol: str,
        *,
        timeframe: str,
        at: datetime | None,
        known: datetime | AsKnown | None = None,
    ) -> Case:
        """Return what the model's view says of an instrument as of `at`, by default now.

        With `known` bars are read as the desk knew them then; where it had none of this
        instrument yet, because its history was loaded later, as they first came.

        Raises:
            NotFound: no such instrument, or no bars that early.
            Invalid: the moment lies ahead, the view is unknown, or there is too little history.
        """
        now = self._clock()
        for name, moment in (("asOf", at), ("knownAt", known)):
            if isinstance(moment, datetime) and moment > now:
                raise Invalid(
                    f"`{name}` {moment.isoformat()} lies ahead of now; a forecast reads only what "
                    "is known.",
                    code="look_ahead",
                )
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        view = self._view(bundle)
        instrument = await find_instrument(self._instruments, symbol.strip())
        if isinstance(known, datetime):
            end = min(known, at or now)
            known = await as_known(
                self._bars, [instrument.symbol], timeframe=timeframe, at=known, end=end
            )
        as_of, newest = await self._moments(instrument, timeframe, at or now, now, known)
        history = max(HISTORY, view.history_bars + 50)
        read = await self._read(instrument, timeframe, as_of, history, known)
        row = await asyncio.to_thread(_row, read, bundle, view, instrument.symbol, as_of)
        _refuse_gaps(row, bundle, view, read.panel.of(instrument.symbol))
        return Case(
            instrument=instrument,
            timeframe=timeframe,
            as_of=as_of,
            newest=newest,
            panel=read.panel,
            rows=row,
            feature_hash=hash_of_row(view.key, row),
            known=known,
        )

    def _view(self, bundle: Bundle) -> FeatureView:
        view = self._views.get(bundle.feature_view or "")
        if bundle.feature_view is None:
            raise Invalid(
                f"{bundle.name} reads columns, not prices: give `features` or `rows`, not `symbol`."
            )
        if view is None:
            raise Invalid(f"This desk has no feature view {bundle.feature_view!r}.")
        return view

    async def _moments(
        self,
        instrument: Instrument,
        timeframe: str,
        at: datetime,
        now: datetime,
        known: AsKnown | None,
    ) -> tuple[datetime, datetime]:
        """Return when the last bar by `at` closed, and the last one by now."""
        symbol = instrument.symbol
        # Three, so that one is closed even where the newest is open and the one before it late.
        read = await self._bars.read(
            symbol,
            timeframe=timeframe,
            end=at,
            limit=3,
            known_at=None if known is None else known.at,
            backfilled=known is not None and known.backfilled,
        )
        newest = await self._bars.read(symbol, timeframe=timeframe, end=now, limit=3)
        closed = read.closed_by(at)
        if not len(closed):
            raise NotFound(
                f"{symbol} has no {timeframe} bars that had closed by {at.date()}.", code="no_data"
            )
        return _close_of(closed), _close_of(newest.closed_by(now))

    async def _read(
        self,
        instrument: Instrument,
        timeframe: str,
        as_of: datetime,
        history: int,
        known: AsKnown | None,
    ) -> _Read:
        """Return the market of an instrument as of a moment."""
        now, market = self._clock(), market_of(instrument)
        others = [
            one.symbol
            for one in await self._instruments.all()
            if market_of(one) == market
            and one.symbol != instrument.symbol
            # A past that is shown again is no part of the market; trainings leave it out too.
            and is_replay(one.symbol) == is_replay(instrument.symbol)
        ]
        beside = "" if len(others) < MOST_SYMBOLS else instrument.symbol
        replayed = is_replay(instrument.symbol)
        key = (f"{market} {replayed}", timeframe, as_of, history, beside, known)
        kept = self._kept.get(key)
        if kept is not None and now - kept.read_at < _FRESH:
            self._kept.move_to_end(key)
            return kept
        symbols = sorted([instrument.symbol, *others[:MOST_SYMBOLS]])
        panel = await read_panel(
            self._bars, symbols, timeframe=timeframe, as_of=as_of, limit=history, known=known
        )
        read = self._kept[key] = _Read(panel, now, {})
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return read


def resolves_at(case: Case, horizon_bars: int) -> datetime:
    """Return when the last bar of the horizon should close, by the calendar where it is known."""
    instrument, frame = case.instrument, case.timeframe
    calendar = calendar_for(instrument.exchange, instrument.kind)
    if frame == "1d":
        last = case.as_of - timedelta(seconds=1)
        day = calendar.sessions_after(last.date(), horizon_bars)
        opened = np.array([np.datetime64(day, "s")])
        closes = closing_times(opened, frame, calendar=calendar.name)
        return moment_of(closes[0])
    return case.as_of + horizon_bars * TIMEFRAMES[frame]


def _row(read: _Read, bundle: Bundle, view: FeatureView, symbol: str, as_of: datetime) -> Rows:
    """Return the newest row of a view for one instrument."""
    tables = read.tables.get(view.key)
    if tables is None:
        # A second forecast of the same market costs nothing more.
        tables = read.tables[view.key] = view.compute(read.panel)
    table = tables.get(symbol)
    if table is None:
        raise Invalid(f"{symbol} has too little history for {view.key}.", code="too_little_history")
    if not len(table.times) or moment_of(table.times[-1]) != as_of:
        # A view that answers with another moment than it was asked for must not be believed.
        raise Invalid(f"{view.key} has no row for {symbol} as of {as_of.isoformat()}.")
    unknown = [column.name for column in bundle.inputs if column.name not in table.columns]
    if unknown:
        raise Invalid(f"{view.key} makes no column {unknown[0]!r}, which {bundle.name} reads.")
    names = tuple(column.name for column in bundle.inputs)
    return Rows(names, np.array([[float(table.columns[name][-1]) for name in names]]))


def _refuse_gaps(rows: Rows, bundle: Bundle, view: FeatureView, series: Series) -> None:
    required = {column.name for column in bundle.inputs if column.required}
    missing = [
        name
        for name, value in zip(rows.names, rows.numbers[0].tolist(), strict=True)
        if np.isnan(value) and name in required
    ]
    if missing:
        raise Invalid(
            f"{series.symbol} has {len(series)} bars by then; {bundle.name} needs about "
            f"{view.history_bars} for {', '.join(missing[:4])}.",
            code="too_little_history",
        )


def _close_of(bars: Bars) -> datetime:
    return moment_of(bars.slice(len(bars) - 1).ends()[0])


def hash_of_row(view: str, rows: Rows) -> str:
    """Return a digest of what a view gave: which numbers a model read, by which names."""
    digest = hashlib.sha256(view.encode())
    digest.update("\0".join(rows.names).encode())
    digest.update(rows.numbers.tobytes())
    return digest.hexdigest()
