"""Where tools read prices from: two protocols, and the in-process stores that meet them.

The in-process ones are product code: `outcry` works offline on them, and every test does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tools.errors import UnknownSymbol
from tools.market.bars import Bars, Floats, moment, without_gaps
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored


class InstrumentStore(Protocol):
    """Knows which symbols exist."""

    async def all(self) -> list[Instrument]:
        """Return every instrument by symbol, with its span of daily bars."""
        ...

    async def find(self, symbol: str) -> Instrument | None:
        """Return the instrument of exactly this symbol."""
        ...

    async def put(self, instrument: Instrument) -> None:
        """Create the instrument or bring what is stored about its symbol up to date."""
        ...


class BarStore(Protocol):
    """Keeps bars as their source gave them, raw and adjusted apart."""

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> Bars:
        """Return the newest `limit` bars that opened from `start` to `end`, both included.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def replace(self, bars: Bars) -> int:
        """Make `bars` all there is of their symbol and timeframe; return how many were written.

        Doing it again changes nothing. It is one step: no reader sees half of it.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def add(self, bars: Bars) -> BarsStored | None:
        """Insert `bars` among what is stored; a bar at a known time replaces the old one.

        Return which of them are new or differ from what was there; None if none do.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
    ) -> dict[str, Bars]:
        """Return the newest `limit` bars of each symbol that opened by `end`, in a few reads.

        Symbols that nobody knows or that have no bars are left out.
        """
        ...


class InProcessMarket:
    """Both stores in one, in memory."""

    def __init__(self, instruments: Iterable[Instrument] = (), bars: Iterable[Bars] = ()) -> None:
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._bars = {(series.symbol, series.timeframe): series for series in bars}

    async def all(self) -> list[Instrument]:
        return [self._with_span(self._instruments[symbol]) for symbol in sorted(self._instruments)]

    async def find(self, symbol: str) -> Instrument | None:
        instrument = self._instruments.get(symbol)
        return None if instrument is None else self._with_span(instrument)

    async def put(self, instrument: Instrument) -> None:
        self._instruments[instrument.symbol] = instrument

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> Bars:
        self._known(symbol)
        bars = self._bars.get((symbol, timeframe))
        if bars is None:
            return empty(symbol, timeframe, self._instruments[symbol].source)
        first = 0 if start is None else np.searchsorted(bars.timestamps, moment(start), "left")
        last = len(bars) if end is None else np.searchsorted(bars.timestamps, moment(end), "right")
        if limit is not None:
            first = max(int(first), int(last) - limit)
        return replace(bars.slice(int(first), int(last)), source=self._instruments[symbol].source)

    async def replace(self, bars: Bars) -> int:
        self._known(bars.symbol)
        self._bars[bars.symbol, bars.timeframe] = bars
        return len(bars)

    async def add(self, bars: Bars) -> BarsStored | None:
        self._known(bars.symbol)
        old = self._bars.get((bars.symbol, bars.timeframe))
        if old is None:
            old = empty(bars.symbol, bars.timeframe, bars.source)
        new, changed = differing(old, bars)
        if not (new | changed).any():
            return None
        self._bars[bars.symbol, bars.timeframe] = merge(old, bars)
        return told(bars, new | changed, corrected=bool(changed.any()))

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
    ) -> dict[str, Bars]:
        known = [symbol for symbol in symbols if symbol in self._instruments]
        read = [await self.read(s, timeframe=timeframe, end=end, limit=limit) for s in known]
        return {bars.symbol: bars for bars in read if len(bars)}

    def _known(self, symbol: str) -> None:
        if symbol not in self._instruments:
            raise UnknownSymbol(symbol)

    def _with_span(self, instrument: Instrument) -> Instrument:
        bars = self._bars.get((instrument.symbol, "1d"))
        if bars is None or not len(bars):
            return instrument
        return msgspec.structs.replace(
            instrument, first_bar=bars.time(0), last_bar=bars.time(-1), bar_count=len(bars)
        )


def empty(symbol: str, timeframe: str, source: str) -> Bars:
    """Return a history of no bars."""
    none = np.empty(0)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        timestamps=np.empty(0, dtype="datetime64[s]"),
        open=none,
        high=none,
        low=none,
        close=none,
        volume=none,
        adjusted_close=none,
    )


def differing(old: Bars, new: Bars) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which bars of `new` are not in `old` at all, and which are there with other numbers.

    An adjusted close that is not said is no other number.
    """
    at = np.searchsorted(old.timestamps, new.timestamps)
    there = at < len(old)
    there[there] = old.timestamps[at[there]] == new.timestamps[there]
    changed = np.zeros(len(new), dtype=bool)
    for name in ("open", "high", "low", "close", "volume", "adjusted_close"):
        was, now = getattr(old, name), getattr(new, name)
        before = np.full(len(old), np.nan) if was is None else was
        after = np.full(len(new), np.nan) if now is None else now
        changed[there] |= (before[at[there]] != after[there]) & ~np.isnan(after[there])
    return ~there, changed


def told(bars: Bars, which: NDArray[np.bool_], *, corrected: bool) -> BarsStored:
    """Return what is told of the bars that were written; at least one was."""
    written = np.flatnonzero(which)
    return BarsStored(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        first=bars.time(int(written[0])),
        last=bars.time(int(written[-1])),
        count=len(written),
        corrected=corrected,
    )


def merge(old: Bars, new: Bars) -> Bars:
    """Return both histories as one, `new` winning where they share a time."""
    kept = ~np.isin(old.timestamps, new.timestamps)
    times = np.concatenate([old.timestamps[kept], new.timestamps])
    order = np.argsort(times)

    def column(of_old: Floats, of_new: Floats) -> Floats:
        joined: Floats = np.concatenate([of_old[kept], of_new])[order]
        return joined

    close = column(old.close, new.close)
    adjusted = column(
        *(
            np.full(len(b), np.nan) if b.adjusted_close is None else b.adjusted_close
            for b in (old, new)
        )
    )
    return Bars(
        symbol=old.symbol,
        timeframe=old.timeframe,
        source=new.source,
        timestamps=times[order],
        open=column(old.open, new.open),
        high=column(old.high, new.high),
        low=column(old.low, new.low),
        close=close,
        volume=column(old.volume, new.volume),
        adjusted_close=without_gaps(close, adjusted),
    )
