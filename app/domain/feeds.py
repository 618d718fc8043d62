"""What a feed hands over and what is written of it: values between door, rules and storage."""

from typing import NamedTuple

import msgspec

from tools.market.bars import Bars
from tools.market.records import NewSuspect
from tools.market.ticks import OpenBar


class Fenced(Exception):
    """A position is not where this process left it: another one reads the partition now."""


Partition = tuple[str, int]
"""A topic and a partition of it."""


class FeedMessage(NamedTuple):
    """One message as it came."""

    offset: int
    value: bytes | None


class Position(msgspec.Struct, frozen=True):
    """How far a partition was read, and what it had open then."""

    next_offset: int
    watermark_us: int | None = None
    open_bars: tuple[OpenBar, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """A message that was not taken."""

    offset: int
    reason: str
    payload: bytes


class PartitionWrite(msgspec.Struct, frozen=True):
    """What one batch changes about one partition."""

    partition: Partition
    expected_offset: int | None
    """Where the position must stand for this to be the next batch; None: there is none yet."""
    next_offset: int
    watermark_us: int | None
    refusals: list[Refusal]
    touched: list[OpenBar]
    closed: list[OpenBar]
    timeframe: str | None
    """Of the open and closed bars."""


class FeedSuspects(msgspec.Struct, frozen=True):
    """Bars of one series that nobody should believe."""

    symbol: str
    timeframe: str
    source: str
    rows: list[NewSuspect]


class FeedWrite(msgspec.Struct, frozen=True):
    """Everything one batch becomes: written whole or not at all."""

    bars: list[Bars]
    partitions: list[PartitionWrite]
    suspects: list[FeedSuspects] = []
