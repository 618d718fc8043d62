"""A signal as it is stored, sent and shown: the seed's MarketSignal and what makes it checkable."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from tools.analytics.firings import SignalType, Variant
from tools.analytics.track_record import Edge
from tools.market.instruments import Instrument

State = Literal["active", "superseded", "expired", "resolved"]
STATES: tuple[State, ...] = ("active", "superseded", "expired", "resolved")
Direction = Literal["bullish", "bearish", "neutral"]


class SignalIndicator(msgspec.Struct, frozen=True, rename="camel"):
    """What one indicator said when the signal fired."""

    name: str
    value: float
    signal: Literal["buy", "sell", "neutral"]
    weight: float
    vote: float
    """-1 to 1; the strength of the composite is 100 times their weighted mean."""


class OwnRecord(msgspec.Struct, frozen=True, rename="camel"):
    """The same kind of signal on this symbol alone."""

    n: int
    hits: int
    hit_rate: float | None
    """A fraction; None below 30 cases."""
    base_rate: float | None


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """How such signals had done when this one fired. Rates are fractions."""

    event: str
    like: str
    horizon_bars: int
    n: int
    hits: int
    hit_rate: float | None
    wilson_low: float | None
    wilson_high: float | None
    base_rate: float | None
    expected_rate: float | None
    enough: bool
    t_value: float | None = None
    own: OwnRecord | None = None


class Grade(msgspec.Struct, frozen=True, rename="camel"):
    """How the signal turned out."""

    result: Literal["hit", "miss", "none"]
    """`none`: the event cannot be judged, or the bars it stood on were corrected away."""
    value: float | None
    """What was compared, in `unit`."""
    unit: str
    resolved_at: datetime | None
    note: str | None = None


class MarketSignal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The seed's MarketSignal. Prices in it are those of the day it fired."""

    id: UUID
    model_id: UUID
    """The version of the rules."""
    symbol: str
    signal_type: SignalType
    variant: Variant | None = None
    strength: float
    direction: Direction
    timeframe: str
    reason: str
    indicators: list[SignalIndicator]
    technical_analysis: dict[str, Any]
    sentiment_analysis: dict[str, Any] | None = None
    fundamental_analysis: dict[str, Any] | None = None
    confidence: float | None
    """Probability of `trackRecord.event`, 0 to 1; None while even the base rate is unknown."""
    base_rate: float | None
    """How often the event comes true anyway, 0 to 1."""
    edge: Edge
    track_record: Record
    valid_from: datetime
    """When the bar opened at whose close it fired."""
    valid_until: datetime
    valid_bars: int
    known_at: datetime
    """When that bar closed: nobody could have known the signal before."""
    state: State = "active"
    ended_at: datetime | None = None
    """When the bar opened at whose close it stopped holding."""
    end_reason: str | None = None
    outcome: Grade | None = None
    metadata: dict[str, Any] = {}
    created_at: datetime

    @property
    def like(self) -> str:
        """Which other signals resemble it, as `tools.analytics.firings.Firing.like`."""
        if self.variant is not None:
            return f"{self.signal_type}:{self.variant}"
        sign = {"bullish": "+", "bearish": "-", "neutral": ""}
        return self.signal_type + sign[self.direction]


class CurvePoint(msgspec.Struct, frozen=True, rename="camel"):
    """The mean price so many bars after such signals, in average true ranges."""

    bar: int
    mean: float
    baseline: float
    """After any bar of the same symbols."""
    low: float | None
    high: float | None
    """95 % interval of the mean, clustered by month; None with fewer than ten months."""


class ScorecardItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How signals of one kind did. Rates are fractions."""

    signal_type: SignalType
    variant: Variant | None
    direction: Direction
    market: str
    symbol: str | None
    """None: all instruments of the market together."""
    timeframe: str
    event: str
    horizon_bars: int
    n: int
    hits: int
    hit_rate: float | None
    wilson_low: float | None
    wilson_high: float | None
    base_rate: float | None
    lift: float | None
    """Hit rate minus base rate."""
    edge: Edge
    edge_t_statistic: float | None
    """Of the lift, out of sample, clustered by month."""
    mean_excess_atr: float | None
    """Mean price at the horizon over the baseline, in average true ranges."""
    t_statistic: float | None
    """Of that, clustered by month."""
    months: int
    curve: list[CurvePoint]


class Scorecard(msgspec.Struct, frozen=True, rename="camel"):
    """The scorecard of every kind of signal."""

    items: list[ScorecardItem]
    as_of: datetime | None
    """When the newest case was settled; None without any."""


def market_of(instrument: Instrument) -> str:
    """Return whose signals are counted together: one kind of thing in one currency."""
    return f"{instrument.kind} {instrument.currency}"
