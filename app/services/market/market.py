"""Instruments, bars and indicators for a client that draws them itself."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime

import msgspec
import numpy as np

from app.domain.errors import Invalid, TooLarge
from app.domain.text import clean_text
from app.services.market.bar_intake import BarIntake, BarsTaken
from app.services.market.futures import Futures
from app.services.market.instruments import find_instrument
from app.services.paging import Page, checked_limit
from tools.analytics.prices import Prices
from tools.analytics.snapshot import FIELDS, table
from tools.market.bars import TIMEFRAMES, Bars, Basis
from tools.market.currencies import code
from tools.market.futures import BadContracts, Continuous, Contract
from tools.market.instruments import Instrument
from tools.market.longer import read_or_make
from tools.market.store import BarStore, InstrumentStore

MAX_BARS = 10_000
SYMBOL_RULE = "must have 1 to 32 letters, digits or any of . - ^ = / _"
MAX_ROWS = 10_000
"""So many bars fit one request."""
DEFAULT_BARS = 500
DEFAULT_FIELDS = (
    *("rsi", "macd", "macdSignal", "macdHistogram", "sma20", "sma50", "sma200", "ema12", "ema26"),
    *("bollingerUpper", "bollingerMiddle", "bollingerLower", "atr", "adx"),
)
"""Of `tools.analytics.snapshot.FIELDS`, what `GET /indicators` tells unless asked for others."""


class BarView(msgspec.Struct, frozen=True):
    """One bar; `timestamp` is its opening."""

    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class BarSeries(msgspec.Struct, frozen=True, rename="camel"):
    """A price history, oldest first."""

    symbol: str
    timeframe: str
    source: str
    adjusted: bool
    """Prices before a split are divided by it, so that a split is no crash; true of all bars that
    are made of shorter ones."""
    basis: Basis
    """What the source gives: prices as traded, or divided by later splits already."""
    suspect_count: int
    """Bars of the instrument in quarantine, which are not among these."""
    known_at: datetime | None
    """The moment as of which they were known; None is now."""
    resampled_from: str | None
    """The timeframe that is stored, where these bars were made of it; only closed ones are."""
    items: list[BarView]


class Point(msgspec.Struct, frozen=True):
    """One value of an indicator."""

    timestamp: datetime
    value: float


class IndicatorSeries(msgspec.Struct, frozen=True, rename="camel"):
    """Indicators over a price history, each oldest first and without its warm-up."""

    symbol: str
    timeframe: str
    source: str
    as_of: datetime | None
    resampled_from: str | None
    """The timeframe that is stored, where the bars were made of it."""
    series: dict[str, list[Point]]


class NewInstrument(msgspec.Struct, frozen=True):
    """What makes a symbol known."""

    symbol: str
    name: str
    source: str
    kind: str = "equity"
    currency: str = "USD"
    exchange: str | None = None
    listed_on: date | None = None
    contract: Contract | None = None
    continuous: Continuous | None = None


class MarketData:
    """The use cases."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        intake: BarIntake,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._intake = intake
        self._clock = clock
        self.futures = Futures(instruments, bars, clock=clock, tell=intake.tell)

    async def instruments(
        self, *, query: str | None, cursor: str | None, limit: int
    ) -> Page[Instrument]:
        """Return instruments by symbol; `query` is looked for in symbol and name."""
        limit = checked_limit(limit)
        wanted = (query or "").strip().casefold()
        found = [
            one
            for one in await self._instruments.all()
            if (cursor is None or one.symbol > cursor)
            and (wanted in one.symbol.casefold() or wanted in one.name.casefold())
        ]
        found.sort(key=lambda one: one.symbol)
        shown = found[:limit]
        return Page(shown, shown[-1].symbol if len(found) > limit else None)

    async def instrument(self, symbol: str, *, on: date | None = None) -> Instrument:
        """Return one instrument; with `on` the one that was called so on that day.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
        """
        return await find_instrument(self._instruments, symbol, on=on)

    async def add_instrument(self, new: NewInstrument) -> Instrument:
        """Make a symbol known, or bring what is said about it up to date.

        A series of contracts is made at once of those that are known.

        Raises:
            Invalid: a field is empty or too long, or does not fit the others.
            Conflict: `contract_taken`.
        """
        for name in ("symbol", "name", "source", "kind", "currency"):
            value = clean_text(getattr(new, name)).strip()
            if not 1 <= len(value) <= 200:
                raise Invalid(f"`{name}` must have 1 to 200 characters.")
        symbol = new.symbol.strip().upper()
        if not is_symbol(symbol):
            raise Invalid(f"`symbol` {SYMBOL_RULE}")
        instrument = Instrument(
            symbol=symbol,
            name=clean_text(new.name).strip(),
            kind=clean_text(new.kind).strip(),
            currency=code(clean_text(new.currency)),
            listed_on=new.listed_on,
            exchange=None if new.exchange is None else clean_text(new.exchange).strip(),
            source=clean_text(new.source).strip(),
            provenance={"addedBy": "rest"},
            contract=new.contract,
            continuous=new.continuous,
        )
        await self.futures.check(instrument)
        await self._instruments.put(instrument)
        if new.continuous is not None or new.contract is not None:
            try:
                await self.futures.make([symbol])
            except BadContracts as bad:
                raise Invalid(f"{bad}") from bad
        return await self.instrument(symbol)

    async def bars(
        self,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        adjusted: bool,
        known_at: datetime | None = None,
    ) -> BarSeries:
        """Return the newest `limit` bars that opened from `start` to `end`, oldest first.

        With `known_at` they are what the desk knew at that moment.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the timeframe, the span or the limit cannot be used.
        """
        _check_span(timeframe, start, end, limit)
        instrument = await self.instrument(symbol)
        stored, made_of = await read_or_make(
            self._bars,
            instrument.symbol,
            timeframe,
            now=self._clock(),
            start=start,
            end=end,
            limit=limit,
            known_at=known_at,
        )
        bars = stored.split_adjusted() if adjusted else stored
        return BarSeries(
            symbol=bars.symbol,
            timeframe=timeframe,
            source=bars.source,
            adjusted=adjusted or made_of is not None,
            basis=stored.basis,
            suspect_count=instrument.suspect_count,
            known_at=known_at,
            resampled_from=made_of,
            items=_bar_views(bars),
        )

    async def add_bars(self, symbol: str, timeframe: str, rows: Sequence[msgspec.Raw]) -> BarsTaken:
        """Take posted bars in; see `BarIntake.take`.

        Raises:
            TooLarge: there are too many rows.
        """
        if len(rows) > MAX_ROWS:
            raise TooLarge(f"`bars` may have {MAX_ROWS:,} rows; it has {len(rows):,}.")
        return await self._intake.take(symbol, timeframe, rows)

    async def indicators(
        self,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        fields: str | None = None,
    ) -> IndicatorSeries:
        """Return per-bar numbers at the newest `limit` bars from `start` to `end`.

        `fields` names those of `snapshot.FIELDS` that are wanted, by commas; None is the usual
        ones.

        They are computed from the beginning of the history, so that no value depends on where
        the asked span begins; split-adjusted, closed bars only.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the timeframe, the span, the limit or a field cannot be used.
        """
        _check_span(timeframe, start, end, limit)
        wanted = _wanted(fields)
        instrument = await self.instrument(symbol)
        now = self._clock()
        until = now if end is None else min(now, end)
        stored, made_of = await read_or_make(
            self._bars, instrument.symbol, timeframe, now=now, end=until
        )
        bars = stored.closed_by(now).split_adjusted()
        first = 0 if start is None else int(np.searchsorted(bars.epochs(), start.timestamp()))
        first = max(first, len(bars) - limit)
        return IndicatorSeries(
            symbol=bars.symbol,
            timeframe=timeframe,
            source=bars.source,
            as_of=bars.time(-1) if len(bars) else None,
            resampled_from=made_of,
            series=await asyncio.to_thread(_series, bars, first, wanted),
        )


def is_symbol(text: str) -> bool:
    """Tell whether a new instrument may be called so."""
    return 1 <= len(text) <= 32 and all(char.isalnum() or char in ".-^=/_" for char in text)


def checked_timeframe(timeframe: str) -> None:
    """Raise `Invalid` for a timeframe that does not exist."""
    if timeframe not in TIMEFRAMES:
        raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")


def _check_span(timeframe: str, start: datetime | None, end: datetime | None, limit: int) -> None:
    checked_timeframe(timeframe)
    if not 1 <= limit <= MAX_BARS:
        raise Invalid(f"`limit` must be from 1 to {MAX_BARS}; it is {limit}.")
    if start is not None and end is not None and end < start:
        raise Invalid("`to` is before `from`.")


def _bar_views(bars: Bars) -> list[BarView]:
    rows = zip(
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.volume.tolist(),
        strict=True,
    )
    return [BarView(bars.time(index), *row) for index, row in enumerate(rows)]


def _wanted(fields: str | None) -> tuple[str, ...]:
    if fields is None:
        return DEFAULT_FIELDS
    wanted = tuple(dict.fromkeys(name.strip() for name in fields.split(",")))
    for name in wanted:
        if name not in FIELDS:
            raise Invalid(f"`fields` has {name[:40]!r}; allowed are {', '.join(FIELDS)}.")
    return wanted


def _series(bars: Bars, first: int, wanted: Sequence[str]) -> dict[str, list[Point]]:
    """Return the wanted numbers from bar `first` on, by name."""
    total = bars.total_return_close()
    prices = Prices(
        days=bars.timestamps,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        total=total,
    )
    every = table(prices, timeframe=bars.timeframe)
    times = [bars.time(index) for index in range(first, len(bars))]
    return {
        name: [
            Point(time, value)
            for time, value in zip(times, every[name][first:].tolist(), strict=True)
            if np.isfinite(value)
        ]
        for name in wanted
    }
