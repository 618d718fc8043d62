"""How a model does now that it is used: a report of one moment. Values only."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from app.domain.views import View

DriftLevel = Literal["stable", "moderate", "large", "too few"]


class Calls(View, frozen=True):
    """What became of the requests of a span, and how long they took."""

    since: datetime
    n: int
    completed: int
    failed: int
    timed_out: int
    per_hour: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None


class SkillNow(View, frozen=True):
    """Skill against the baseline that was shown beside each forecast."""

    n: int
    moments: int
    skill: float | None
    low: float | None
    high: float | None
    is_lost: bool
    """The whole interval lies below 0: a reason to retire it."""
    fading: float
    """CUSUM of losses against the first half; at 8 or more skill has faded."""
    faded: bool


class CalibrationNow(View, frozen=True):
    """Whether what was said to be uncertain was."""

    n: int
    nominal: float | None
    coverage: float | None
    """How often the outcome was inside the interval, or the class the one that was said."""
    low: float | None
    high: float | None
    moved: bool
    """ADWIN found that the rate of hits has changed."""
    recent: float | None
    """The rate since that change."""
    pit_p: float | None
    """Probability of so uneven a PIT if the distributions were right."""


class ColumnDrift(View, frozen=True):
    """How far one column is from where the model learned."""

    column: str
    psi: float | None
    ks: float | None
    p: float | None
    level: DriftLevel
    n_reference: int
    n: int


class Anomaly(View, frozen=True):
    """A prediction unlike those before it."""

    prediction_id: UUID
    value: float
    created_at: datetime


class ModelReport(View, frozen=True):
    """Everything that is measured of a model in use, at a moment."""

    id: UUID
    model_id: UUID
    model: str
    """name@version."""
    created_at: datetime
    calls: Calls
    skill: SkillNow
    calibration: CalibrationNow
    inputs: list[ColumnDrift]
    outputs: ColumnDrift
    anomalies: list[Anomaly]
    alarms: list[str]
    """For people, the gravest first; empty when all is well."""
    notes: list[str]


class SettledCase(msgspec.Struct, frozen=True, kw_only=True):
    """One forecast of which the outcome is known."""

    as_of: datetime
    loss: float | None
    baseline_loss: float | None
    hit: bool
    pit: float | None


class SaidValue(msgspec.Struct, frozen=True, kw_only=True):
    """One number that a model has said."""

    id: UUID
    created_at: datetime
    value: float


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a model learned from, as far as its inputs are compared with it."""

    symbols: tuple[str, ...]
    timeframe: str
    as_of: datetime
