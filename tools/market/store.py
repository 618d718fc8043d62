"""Prices in memory: the sibling of the Postgres stores that needs nothing.

Product code: `outcry` works offline on it, and most tests do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from tools.errors import MixedBasis, UnknownSymbol
from tools.market.actions import IN_PRICES, Action, known
from tools.market.bars import Bars, Times, moment, without_gaps
from tools.market.calendars import calendar_name
from tools.market.in_process import InProcessInstruments, InProcessSuspects
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.merging import differing, empty, merge, told
from tools.market.ports import BarStore, InstrumentStore
from tools.market.records import BarVersion, NewSuspect, SuspectStatus

__all__ = ["BarStore", "InProcessMarket", "InstrumentStore", "empty", "merge"]

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


@dataclass
class _Series:
    """One instrument's bars of one timeframe, and what was believed before."""

    bars: Bars
    known: dict[int, datetime] = field(default_factory=dict)
    """Opening, in seconds since 1970 -> since when this version is known; always, if not said."""
    sources: dict[int, str] = field(default_factory=dict)
    """Opening -> who gave this version; the instrument's source, if not said."""
    superseded: dict[int, list[BarVersion]] = field(default_factory=dict)


class InProcessMarket(InProcessInstruments, InProcessSuspects):
    """Both stores in one."""

    def __init__(
        self,
        instruments: Iterable[Instrument] = (),
        bars: Iterable[Bars] = (),
        *,
        actions: Mapping[str, Iterable[Action]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        InProcessInstruments.__init__(self, instruments, clock=clock)
        InProcessSuspects.__init__(self, clock=clock)
        for symbol, known_ones in (actions or {}).items():
            self._actions[self._owner[symbol]] += known_ones
        self._series: dict[tuple[UUID, str], _Series] = {}
        for series in bars:
            # Bars of a symbol that nobody named are only of use once somebody does.
            owner = self._owner.get(series.symbol)
            if owner is not None:
                self._series[owner, series.timeframe] = _Series(_with_basis(series))

    async def all(self) -> list[Instrument]:
        return [self._seen(self._by_id[self._owner[symbol]]) for symbol in sorted(self._owner)]

    async def find(self, symbol: str, *, on: date | None = None) -> Instrument | None:
        owner = self._called(symbol, on)
        return None if owner is None else self._seen(self._by_id[owner])

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> Bars:
        instrument = self._known(symbol)
        series = self._series.get((self._owner[symbol], timeframe))
        bars = empty(symbol, timeframe, instrument.source) if series is None else series.bars
        if series is not None and known_at is not None:
            bars = _as_of(series, known_at, backfilled=backfilled)
        first = 0 if start is None else np.searchsorted(bars.timestamps, moment(start), "left")
        last = len(bars) if end is None else np.searchsorted(bars.timestamps, moment(end), "right")
        if limit is not None:
            first = max(int(first), int(last) - limit)
        found = bars.slice(int(first), int(last))
        adjusted = found.adjusted_close
        return replace(
            found,
            symbol=symbol,
            source=instrument.source,
            adjusted_close=None if adjusted is None else without_gaps(found.close, adjusted),
            actions=known(
                (one for one in self._actions[self._owner[symbol]] if one.kind in IN_PRICES),
                known_at,
                backfilled=backfilled,
            ),
            currency=instrument.currency,
            calendar=calendar_name(instrument.exchange, instrument.kind),
        )

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> dict[str, Bars]:
        there = [symbol for symbol in symbols if symbol in self._owner]
        read = [
            await self.read(
                symbol,
                timeframe=timeframe,
                end=end,
                limit=limit,
                known_at=known_at,
                backfilled=backfilled,
            )
            for symbol in there
        ]
        return {bars.symbol: bars for bars in read if len(bars)}

    async def replace(self, bars: Bars) -> int:
        self._known(bars.symbol)
        key = self._owner[bars.symbol], bars.timeframe
        series = self._series.get(key)
        if series is None:
            series = _Series(empty(bars.symbol, bars.timeframe, bars.source))
        new, changed = differing(series.bars, bars, exactly=True)
        gone = ~np.isin(series.bars.timestamps, bars.timestamps)
        self._supersede(series, bars.timestamps[changed])
        self._supersede(series, series.bars.timestamps[gone])
        for second in _seconds(series.bars.timestamps[gone]):
            series.known.pop(second, None)
        self._learn(series, bars.timestamps[new])
        _given(series, bars.timestamps[new | changed], bars.source)
        self._series[key] = replace(series, bars=_with_basis(bars))
        return len(bars)

    async def add(self, bars: Bars) -> BarsStored | None:
        self._known(bars.symbol)
        if not len(bars):
            return None
        key = self._owner[bars.symbol], bars.timeframe
        series = self._series.get(key)
        if series is None:
            nothing = empty(bars.symbol, bars.timeframe, bars.source)
            opened = _with_basis(bars)
            series = _Series(
                replace(nothing, basis=opened.basis, adjusted_until=opened.adjusted_until)
            )
        if series.bars.basis != bars.basis:
            raise MixedBasis(
                bars.symbol, bars.timeframe, stored=series.bars.basis, given=bars.basis
            )
        new, changed = differing(series.bars, bars)
        if not (new | changed).any():
            return None
        self._supersede(series, bars.timestamps[changed])
        self._learn(series, bars.timestamps[new])
        written = bars.pick(new | changed)
        _given(series, written.timestamps, bars.source)
        self._series[key] = replace(series, bars=merge(series.bars, written))
        return told(bars, new | changed, corrected=bool(changed.any()))

    async def versions(
        self, symbol: str, *, timeframe: str, timestamp: datetime
    ) -> list[BarVersion]:
        owner = self._owner.get(symbol)
        series = None if owner is None else self._series.get((owner, timeframe))
        if series is None:
            return []
        second = int(timestamp.timestamp())
        found = list(series.superseded.get(second, ()))
        if np.isin(np.datetime64(second, "s"), series.bars.timestamps):
            found.append(_version(series, second))
        own = self._by_id[self._owner[symbol]].source
        return [msgspec.structs.replace(one, source=one.source or own) for one in found]

    async def quarantine(
        self, symbol: str, timeframe: str, suspects: Sequence[NewSuspect], *, source: str
    ) -> list[SuspectStatus]:
        self._known(symbol)
        return await super().quarantine(symbol, timeframe, suspects, source=source)

    def _call(self, owner: UUID, symbol: str, *, until: date) -> None:
        before = self._by_id[owner].symbol
        super()._call(owner, symbol, until=until)
        for one in list(self._suspects.values()):
            if one.symbol == before:
                self._suspects[one.id] = msgspec.structs.replace(one, symbol=symbol)

    def _learn(self, series: _Series, times: Times) -> None:
        series.known.update(dict.fromkeys(_seconds(times), self._clock()))

    def _supersede(self, series: _Series, times: Times) -> None:
        """Keep the versions of the bars at these times, and say that others are known from now."""
        now = self._clock()
        for second in _seconds(times):
            old = _version(series, second)
            at = max(now, old.known_at + timedelta(microseconds=1))
            was = msgspec.structs.replace(old, superseded_at=at)
            series.superseded.setdefault(second, []).append(was)
            series.known[second] = at

    def _seen(self, instrument: Instrument) -> Instrument:
        """Return an instrument with what is stored of it."""
        owner = self._owner[instrument.symbol]
        series = self._series.get((owner, "1d"))
        waiting = sum(
            one.symbol == instrument.symbol and one.status == "quarantined"
            for one in self._suspects.values()
        )
        found = msgspec.structs.replace(instrument, id=owner, suspect_count=waiting)
        if series is None or not len(series.bars):
            return found
        bars = series.bars
        return msgspec.structs.replace(
            found, first_bar=bars.time(0), last_bar=bars.time(-1), bar_count=len(bars)
        )

    def _known(self, symbol: str) -> Instrument:
        if symbol not in self._owner:
            raise UnknownSymbol(symbol)
        return self._by_id[self._owner[symbol]]


def _with_basis(bars: Bars) -> Bars:
    """Return bars that say how far their source has divided by splits."""
    if bars.basis == "as_traded" or bars.adjusted_until is not None or not len(bars):
        return replace(bars, actions=())
    return replace(bars, adjusted_until=bars.day(-1), actions=())


def _seconds(times: Times | NDArray[np.datetime64]) -> list[int]:
    found: list[int] = times.astype("datetime64[s]").astype(np.int64).tolist()
    return found


def _version(series: _Series, second: int) -> BarVersion:
    bars = series.bars
    at = int(np.searchsorted(bars.timestamps, np.datetime64(second, "s")))
    adjusted = np.nan if bars.adjusted_close is None else float(bars.adjusted_close[at])
    return BarVersion(
        known_at=series.known.get(second, _ALWAYS),
        open=float(bars.open[at]),
        high=float(bars.high[at]),
        low=float(bars.low[at]),
        close=float(bars.close[at]),
        volume=float(bars.volume[at]),
        adjusted_close=None if np.isnan(adjusted) else adjusted,
        source=series.sources.get(second),
    )


def _given(series: _Series, times: Times, source: str) -> None:
    series.sources.update(dict.fromkeys(_seconds(times), source))


def _as_of(series: _Series, moment_: datetime, *, backfilled: bool) -> Bars:
    """Return the bars as they were known at a moment; `backfilled`: of those that came later, the
    first version.
    """
    every = [
        (second, version)
        for second, versions in series.superseded.items()
        for version in versions
        if moment_ < (version.superseded_at or _ALWAYS)
    ]
    every += [(second, _version(series, second)) for second in _seconds(series.bars.timestamps)]
    every.sort(key=lambda row: (row[0], row[1].known_at), reverse=True)
    found = {
        second: version for second, version in every if backfilled or version.known_at <= moment_
    }
    rows = sorted(found.items())

    def column(name: str) -> NDArray[np.float64]:
        values = (getattr(version, name) for _, version in rows)
        return np.array([np.nan if x is None else x for x in values], dtype=np.float64)

    adjusted = column("adjusted_close")
    return replace(
        series.bars,
        timestamps=np.array([second for second, _ in rows], dtype="datetime64[s]"),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        adjusted_close=None if np.isnan(adjusted).all() else adjusted,
    )
