"""Rows as sources give them, read into columns: what is no number is left unread, with a reason.

Nothing is ever guessed: no thousands separator is taken away, no digit of another script is
translated, no time without a zone is taken for one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from tools.market.bars import Floats, Times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NewBar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bar as it is posted."""

    timestamp: datetime
    """When it opened."""
    open: float
    high: float
    low: float
    close: float
    volume: float


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
_NOTHING = NewBar(EPOCH, math.nan, math.nan, math.nan, math.nan, math.nan)


def read_rows(rows: Sequence[msgspec.Raw]) -> Rows:
    """Return JSON objects as columns; what is not a time and five numbers is left unread."""
    read: list[NewBar] = []
    unread: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            bar = _decoder.decode(row)
            if bar.timestamp.tzinfo is None:
                unread[index] = "timestamp has no zone; end it with Z"
        except (msgspec.DecodeError, RecursionError) as error:
            unread[index] = str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")
        read.append(_NOTHING if index in unread else bar)

    def column(name: str) -> Floats:
        return np.array([getattr(bar, name) for bar in read], dtype=np.float64)

    return Rows(
        timestamps=np.array([microseconds(bar.timestamp) for bar in read], dtype="datetime64[us]"),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        unread=unread,
    )


def microseconds(time: datetime) -> int:
    """Return a time as microseconds since 1970, exactly."""
    return (time - EPOCH) // timedelta(microseconds=1)
