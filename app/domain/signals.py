"""What is stored of signals, and how far the rules have been run."""

from datetime import datetime
from uuid import UUID

import msgspec

from tools.market.signals import Grade, MarketSignal, State


class SignalProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one series has been read, and what was read."""

    model_id: UUID
    watched_from: datetime
    """The oldest bar the digest speaks of."""
    through: datetime
    """The newest one."""
    digest: bytes
    version: int = 0
    """Counts the changes; 0 before the first."""


class NewSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal to store, with what its own grade will be counted by."""

    signal: MarketSignal
    market: str
    counted: bool
    """False: its outcome overlaps that of one before it."""
    own_base_rate: float | None
    path: bytes
    """What the price did after it, float32 little-endian, one a bar; empty while unknown."""


class KnownSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A stored signal, as far as a refresh compares it."""

    id: UUID
    state: State
    ended_at: datetime | None
    outcome: str | None
    outcome_value: float | None


class SignalChange(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a stored signal."""

    id: UUID
    state: State
    ended_at: datetime | None
    end_reason: str | None
    outcome: Grade | None
    path: bytes


class SignalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one refresh writes, in one transaction."""

    symbol: str
    timeframe: str
    before: SignalProgress | None
    """The progress the plan was made from; the plan is void when it has moved on."""
    after: SignalProgress
    new: list[NewSignal]
    changes: list[SignalChange]
    withdrawn: list[UUID]
    """Signals that fire no longer because bars were corrected."""


class SignalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which signals a list shows; None: any."""

    symbol: str | None = None
    signal_type: str | None = None
    timeframe: str | None = None
    state: State | None = None
