"""What is written on the topics `bars` and `ticks`: one JSON object a message. Pure.

A message that cannot be read becomes a reason in words, never an error: the feed goes on behind it.
Fields that are not named here may be there and are not read.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from tools.market.bars import TIMEFRAMES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class BarMessage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A closed bar."""

    symbol: _Symbol
    timeframe: str
    timestamp: datetime | int
    """When it opened: ISO 8601 with a zone, or milliseconds since 1970."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjusted_close: float | None = None


class TickMessage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A trade."""

    symbol: _Symbol
    timestamp: datetime | int
    """When it was done: ISO 8601 with a zone, or milliseconds since 1970."""
    price: float
    size: float = 0.0
    """How many were traded; 0 for a quote that only tells the price."""


_bar_decoder = msgspec.json.Decoder(BarMessage)
_tick_decoder = msgspec.json.Decoder(TickMessage)


class Unreadable(Exception):
    """A message that cannot be taken up; its text is the reason."""


def read_bar(value: bytes | None) -> tuple[BarMessage, int]:
    """Return a bar and when it opened, in microseconds since 1970.

    Raises:
        Unreadable: it is none.
    """
    if not value:
        raise Unreadable("the message is empty")
    try:
        bar = _bar_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(_words(error)) from None
    if bar.timeframe not in TIMEFRAMES:
        raise Unreadable(f"timeframe must be one of {', '.join(TIMEFRAMES)}")
    return bar, microseconds(bar.timestamp)


def read_tick(value: bytes | None) -> tuple[TickMessage, int]:
    """Return a trade and when it was done, in microseconds since 1970.

    Raises:
        Unreadable: it is none.
    """
    if not value:
        raise Unreadable("the message is empty")
    try:
        tick = _tick_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(_words(error)) from None
    return tick, microseconds(tick.timestamp)


def microseconds(timestamp: datetime | int) -> int:
    """Return a message's time as microseconds since 1970.

    Raises:
        Unreadable: it has no zone, or lies in no year that we know.
    """
    if isinstance(timestamp, int):
        if not 0 <= timestamp <= _LATEST_MS:
            raise Unreadable("timestamp as a number must be milliseconds since 1970")
        return timestamp * 1000
    if timestamp.tzinfo is None:
        raise Unreadable("timestamp has no zone; end it with Z")
    return (timestamp - _EPOCH) // _MICROSECOND


def _words(error: Exception) -> str:
    return str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")[:300]
