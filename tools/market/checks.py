"""Which bars of a source can be taken. Pure: one reason per row that is not, the rest is taken.

Everything is judged as columns, so that a file of a million rows costs what numpy costs. Only rows
that are wrong are ever put into words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tools.market.bars import TIMEFRAMES, Bars, Floats, Times

_EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIGHEST_PRICE = 1e12
_HIGHEST_VOLUME = 1e18
DUPLICATE = "duplicate timestamp"
MAY_BE_NEGATIVE = frozenset({"future", "commodity", "rate", "spread"})
"""Kinds of instrument whose price may really be zero or less (oil, on 20 April 2020)."""
_PRICES = ("open", "high", "low", "close")
_NUMBERS = (*_PRICES, "volume")
Fault: TypeAlias = tuple[NDArray[np.bool_], Callable[[int], str]]


class NewBar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bar as it is posted."""

    timestamp: datetime
    """When it opened."""
    open: float
    high: float
    low: float
    close: float
    volume: float


class Refused(msgspec.Struct, frozen=True):
    """One row that was not taken."""

    index: int
    reason: str


@dataclass(frozen=True, eq=False)
class Rows:
    """Bars as a source gave them, in its order; nothing about them has been judged yet."""

    timestamps: Times
    """`datetime64[us]`, UTC: when each opened."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adjusted_close: Floats | None = None
    """Where the source has one; NaN where a row has none."""
    unread: Mapping[int, str] = field(default_factory=dict)
    """Position -> why the row could not be read; its numbers mean nothing."""

    def __len__(self) -> int:
        return len(self.timestamps)

    def part(self, start: int, stop: int) -> "Rows":
        """Return the rows at positions `start` up to, not including, `stop`; counted from 0."""
        cut = np.s_[start:stop]
        adjusted = self.adjusted_close
        return Rows(
            timestamps=self.timestamps[cut],
            open=self.open[cut],
            high=self.high[cut],
            low=self.low[cut],
            close=self.close[cut],
            volume=self.volume[cut],
            adjusted_close=None if adjusted is None else adjusted[cut],
            unread={at - start: why for at, why in self.unread.items() if start <= at < stop},
        )


_decoder = msgspec.json.Decoder(NewBar)
_NOTHING = NewBar(_EARLIEST, np.nan, np.nan, np.nan, np.nan, np.nan)


def read_rows(rows: Sequence[msgspec.Raw]) -> Rows:
    """Return JSON objects as columns; what is not a bar of six numbers is left unread."""
    read: list[NewBar] = []
    unread: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            bar = _decoder.decode(row)
            if bar.timestamp.tzinfo is None:
                unread[index] = "timestamp has no zone; end it with Z"
        except (msgspec.DecodeError, RecursionError) as error:
            unread[index] = _plain_reason(error)
        read.append(_NOTHING if index in unread else bar)
    return Rows(
        timestamps=np.array([_microseconds(bar.timestamp) for bar in read], dtype="datetime64[us]"),
        **{name: np.array([getattr(bar, name) for bar in read], float) for name in _NUMBERS},
        unread=unread,
    )


def judge(
    rows: Rows, timeframe: str, *, kind: str, now: datetime
) -> tuple[NDArray[np.intp], list[Refused]]:
    """Return the positions of the rows to take, oldest first, and the refused ones with reasons.

    Rows need not be in order. Of several rows of one time the first that can be taken is.
    """
    reasons: dict[int, str] = dict(rows.unread)
    for wrong, why in _faults(rows, timeframe, kind=kind, now=now):
        for index in np.flatnonzero(wrong).tolist():
            if index not in reasons:
                reasons[index] = why(index)
    fit = np.ones(len(rows), dtype=bool)
    fit[list(reasons)] = False
    positions = np.flatnonzero(fit)
    order = positions[np.argsort(rows.timestamps[positions], kind="stable")]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = np.diff(rows.timestamps[order]) == np.timedelta64(0, "us")
    reasons |= dict.fromkeys(order[again].tolist(), DUPLICATE)
    return order[~again], [Refused(index, reasons[index]) for index in sorted(reasons)]


def _faults(rows: Rows, timeframe: str, *, kind: str, now: datetime) -> Iterator[Fault]:
    """Return what can be wrong with a row by itself: where it is, and in which words."""
    columns = {name: getattr(rows, name) for name in _NUMBERS}

    def at(name: str, text: str) -> Callable[[int], str]:
        def said(index: int) -> str:
            values = {column: numbers[index] for column, numbers in columns.items()}
            return text.format(name=name, value=values[name], **values)

        return said

    low, high, volume = rows.low, rows.high, rows.volume
    for name in _PRICES:
        price = columns[name]
        yield ~(np.abs(price) <= _HIGHEST_PRICE), at(name, "{name} is not a price: {value}")
        if kind not in MAY_BE_NEGATIVE:
            yield price <= 0, at(name, "{name} is {value:g}; a price must be above 0")
    possible = (volume >= 0) & (volume <= _HIGHEST_VOLUME)
    yield ~possible, at("volume", "volume is {value:g}; it must be 0 or more")
    yield high < low, at("high", "high {high:g} is below low {low:g}")
    for name in ("open", "close"):
        inside = (low <= columns[name]) & (columns[name] <= high)
        yield ~inside, at(name, "{name} {value:g} is outside low {low:g} to high {high:g}")
    yield from _wrong_times(rows.timestamps, timeframe, now)


def _wrong_times(opened: Times, timeframe: str, now: datetime) -> Iterator[Fault]:
    def always(text: str) -> Callable[[int], str]:
        return lambda _: text

    length = TIMEFRAMES[timeframe]
    micros = opened.astype("datetime64[us]").astype(np.int64)
    yield np.isnat(opened), always("timestamp is missing")
    yield micros < _microseconds(_EARLIEST), always("timestamp is before 1800")
    yield micros > _microseconds(now), always("timestamp is in the future")
    yield micros > _microseconds(now - length), always("the bar has not closed yet")
    step = min(length, timedelta(days=1)) // timedelta(microseconds=1)
    at = "00:00 UTC" if length >= timedelta(days=1) else f"a multiple of {timeframe} UTC"
    yield (
        (micros % step) != 0,
        always(f"timestamp is not an opening: a {timeframe} bar opens at {at}"),
    )


def as_bars(
    rows: Rows, taken: NDArray[np.intp], *, symbol: str, timeframe: str, source: str
) -> Bars:
    """Return the rows at the positions that `judge` gave as a price history."""
    adjusted = rows.adjusted_close
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        timestamps=rows.timestamps[taken].astype("datetime64[s]"),
        open=rows.open[taken],
        high=rows.high[taken],
        low=rows.low[taken],
        close=rows.close[taken],
        volume=rows.volume[taken],
        adjusted_close=None if adjusted is None else adjusted[taken],
    )


def _microseconds(time: datetime) -> int:
    """Return a time as microseconds since 1970, exactly."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _plain_reason(error: Exception) -> str:
    return str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")
