"""What is kept beside bars: the versions there were of one, and those that nobody believed."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

SuspectStatus = Literal["quarantined", "accepted", "rejected"]


class BarVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was believed of one bar, from one moment to another."""

    known_at: datetime
    superseded_at: datetime | None = None
    """None: it is believed still."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjusted_close: float | None = None
    source: str | None = None
    """Who gave it."""


class NewSuspect(msgspec.Struct, frozen=True, kw_only=True):
    """A bar that parses and cannot be believed."""

    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjusted_close: float | None = None
    reason: str
    possible: bool
    """It could be true: then somebody may accept it. High below low never is."""

    @property
    def numbers(self) -> tuple[object, ...]:
        """Return what makes two suspects of a series the same."""
        return self.timestamp, self.open, self.high, self.low, self.close, self.volume


class Suspect(NewSuspect, frozen=True, kw_only=True, rename="camel"):
    """One in quarantine, or decided upon."""

    id: UUID
    symbol: str
    timeframe: str
    source: str
    status: SuspectStatus
    arrived_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
