"""Which posted bars can be believed. Pure: one reason per refused row, the rest is taken."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from tools.market.bars import TIMEFRAMES, Bars

MAX_ROWS = 10_000
_EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
_HIGHEST_PRICE = 1e12
_HIGHEST_VOLUME = 1e18
_MAY_BE_NEGATIVE = frozenset({"future", "commodity", "rate", "spread"})
"""Kinds of instrument whose price may really be zero or less (oil, on 20 April 2020)."""


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


_decoder = msgspec.json.Decoder(NewBar)


def check_rows(
    rows: Sequence[msgspec.Raw], timeframe: str, *, kind: str, now: datetime
) -> tuple[list[NewBar], list[Refused]]:
    """Return the rows to take, in rising order of time, and the refused ones with reasons."""
    taken: list[NewBar] = []
    refused: list[Refused] = []
    for index, row in enumerate(rows):
        try:
            bar = _decoder.decode(row)
        except (msgspec.DecodeError, RecursionError) as error:
            refused.append(Refused(index, _plain_reason(error)))
            continue
        reason = _wrong_with(bar, timeframe, kind, now) or _out_of_place(bar, taken)
        if reason is None:
            taken.append(bar)
        else:
            refused.append(Refused(index, reason))
    return taken, refused


def columns(bars: Sequence[NewBar], *, symbol: str, timeframe: str, source: str) -> Bars:
    """Return checked rows as a price history."""
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        timestamps=np.array(
            [int(bar.timestamp.timestamp()) for bar in bars], dtype="datetime64[s]"
        ),
        open=np.array([bar.open for bar in bars], dtype=np.float64),
        high=np.array([bar.high for bar in bars], dtype=np.float64),
        low=np.array([bar.low for bar in bars], dtype=np.float64),
        close=np.array([bar.close for bar in bars], dtype=np.float64),
        volume=np.array([bar.volume for bar in bars], dtype=np.float64),
    )


def _wrong_with(bar: NewBar, timeframe: str, kind: str, now: datetime) -> str | None:
    """Return what is wrong with a bar by itself."""
    named = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
    for name, value in named.items():
        if not math.isfinite(value) or abs(value) > _HIGHEST_PRICE:
            return f"{name} is not a price: {value}"
        if value <= 0 and kind not in _MAY_BE_NEGATIVE:
            return f"{name} is {value:g}; a price must be above 0"
    if not math.isfinite(bar.volume) or not 0 <= bar.volume <= _HIGHEST_VOLUME:
        return f"volume is {bar.volume:g}; it must be 0 or more"
    if bar.high < bar.low:
        return f"high {bar.high:g} is below low {bar.low:g}"
    for name in ("open", "close"):
        if not bar.low <= named[name] <= bar.high:
            return f"{name} {named[name]:g} is outside low {bar.low:g} to high {bar.high:g}"
    return _wrong_time(bar.timestamp, timeframe, now)


def _wrong_time(opened: datetime, timeframe: str, now: datetime) -> str | None:
    if opened.tzinfo is None:
        return "timestamp has no zone; end it with Z"
    if opened < _EARLIEST:
        return "timestamp is before 1800"
    length = TIMEFRAMES[timeframe]
    if opened > now:
        return "timestamp is in the future"
    if opened + length > now:
        return "the bar has not closed yet"
    step = min(length, timedelta(days=1))
    if (opened - _EARLIEST) % step:
        at = "00:00 UTC" if length >= timedelta(days=1) else f"a multiple of {timeframe} UTC"
        return f"timestamp is not an opening: a {timeframe} bar opens at {at}"
    return None


def _out_of_place(bar: NewBar, taken: Sequence[NewBar]) -> str | None:
    if not taken or bar.timestamp > taken[-1].timestamp:
        return None
    if bar.timestamp == taken[-1].timestamp:
        return "duplicate timestamp"
    return "timestamp is out of order: bars must be oldest first"


def _plain_reason(error: Exception) -> str:
    return str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")
