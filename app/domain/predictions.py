"""One answer of one model: the seed's Prediction, and what it takes to check it later.

Values only. A forecast of a market says what event it speaks of, as of when, and when that can be
known; its outcome and its grade are filled in then, apart from what people say about it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from agents.messages import Usage

PredictionStatus: TypeAlias = Literal["pending", "processing", "completed", "failed", "timeout"]
PredictionGrade: TypeAlias = Literal["hit", "miss", "none"]
"""`none`: it cannot be told, because what it spoke of never came to be known."""
STATUSES: tuple[str, ...] = get_args(PredictionStatus)
GRADES: tuple[str, ...] = get_args(PredictionGrade)


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the values here share."""


class PredictionOutput(Shape, frozen=True, omit_defaults=True):
    """The seed's PredictionOutput. Forecasts of quantities carry quantiles as well."""

    value: Any
    """A number in `unit`, the name of a class, or a text."""
    probabilities: dict[str, float] | None = None
    """Class -> calibrated probability."""
    explanation: str | None = None
    features: dict[str, float] | None = None
    """Input -> how far it moved the raw output of the model, where that is known exactly."""
    unit: str | None = None
    quantiles: dict[str, float] | None = None
    """Level ("0.1") -> value, as the model gave them."""
    paths: list[list[float]] | None = None
    """Sampled log returns of a scenario model, bar by bar."""


class Interval(Shape, frozen=True, omit_defaults=True):
    """Where the outcome is expected to lie."""

    low: float
    high: float
    level: float
    """Nominal coverage, 0 to 1."""
    model_low: float | None = None
    """As the model gave it, where rolling conformal inference has moved it."""
    model_high: float | None = None


class BaselineForecast(Shape, frozen=True, omit_defaults=True):
    """What a plain way of forecasting said at the same moment."""

    name: str
    value: Any
    interval: Interval | None = None
    quantiles: dict[str, float] | None = None
    probabilities: dict[str, float] | None = None


class Bin(Shape, frozen=True):
    """Like predictions: those that were about as sure."""

    forecast: float
    """Their mean probability of what they said."""
    observed: float
    """How often that came true."""
    n: int


class ConfidenceBasis(Shape, frozen=True, omit_defaults=True):
    """Where a confidence comes from: what was counted, and how often."""

    kind: Literal["calibrated_probability", "measured_coverage", "not_measured"]
    measured_on: Literal["settled_predictions", "walk_forward"] | None = None
    n: int = 0
    nominal: float | None = None
    """The coverage that was aimed at."""
    observed: float | None = None
    """How often it held among `n`: the coverage, or the rate of `bin`."""
    bin: Bin | None = None
    calibration_error: float | None = None
    adapted_level: float | None = None
    """The level that adaptive conformal inference aims at now, to cover `nominal`."""
    note: str = ""


class PredictionCost(Shape, frozen=True):
    """What a prediction cost whoever runs this desk."""

    amount: str
    """Decimal string in `currency`; "0" where it is not priced too."""
    currency: str
    priced: bool
    """False: what it truly cost is not known here."""
    words: str
    """For people."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    models: list[str] = []
    """Others' language models that were asked, "provider/model"."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """One cost entry of a prediction: what it used of one language model."""

    provider: str
    model: str
    usage: Usage
    amount_usd: Decimal | None
    """None: the price is not known."""
    is_complete: bool
    """False: the provider did not tell all that was used."""
    in_vain: bool = False
    """What was asked for it gave no answer, whatever answered in the end."""


class PredictionFeedback(Shape, frozen=True, omit_defaults=True):
    """The seed's PredictionFeedback: what a person says, apart from the outcome."""

    feedback_at: datetime
    is_correct: bool | None = None
    actual_value: Any = None
    rating: int | None = None
    comment: str | None = None


class Outcome(Shape, frozen=True, omit_defaults=True):
    """What happened."""

    value: Any
    first_bar: datetime
    """When the first and the last of the bars that decide it closed."""
    last_bar: datetime
    unit: str | None = None
    words: str = ""
    """For people: "1.1 % a day"."""


class Prediction(Shape, frozen=True):
    """One prediction as it is stored and shown."""

    id: UUID
    model_id: UUID
    model_version: str
    """name@version."""
    user_id: UUID | None
    request_id: str
    input: dict[str, Any]
    output: PredictionOutput | None
    """None until it is completed."""
    confidence: float | None
    """A measured rate or a calibrated probability; None where nothing was measured."""
    confidence_basis: ConfidenceBasis | None
    latency_ms: float | None
    status: PredictionStatus
    created_at: datetime
    error_code: str | None = None
    error: str | None = None
    degraded: bool = False
    """Another version than the one asked for answered, because that one could not."""
    asked_model_id: UUID | None = None
    """The one that was asked for, where another answered; `model_id` is always who answered."""
    asked_model: str | None = None
    """Its name@version."""
    degraded_because: str | None = None
    """Why it could not, for people."""
    baseline: BaselineForecast | None = None
    interval: Interval | None = None
    event: str = ""
    task: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    horizon_bars: int | None = None
    as_of: datetime | None = None
    """When the last bar that was read had closed."""
    resolves_at: datetime | None = None
    """When the last bar of the horizon is expected to close."""
    feature_hash: str | None = None
    outcome: Outcome | None = None
    grade: PredictionGrade | None = None
    loss: float | None = None
    baseline_loss: float | None = None
    pit: float | None = None
    resolved_at: datetime | None = None
    feedback: PredictionFeedback | None = None
    job_id: UUID | None = None
    shadow_of: UUID | None = None
    experiment_id: UUID | None = None
    variant: str | None = None
    cost: PredictionCost | None = None
    """None: it was not answered, or before costs were kept."""
    metadata: dict[str, Any] = {}


class NewPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """What is written before the model is asked."""

    id: UUID
    model_id: UUID
    user_id: UUID | None
    request_id: str
    input: dict[str, Any]
    input_hash: str
    created_at: datetime
    status: PredictionStatus = "processing"
    job_id: UUID | None = None
    shadow_of: UUID | None = None
    experiment_id: UUID | None = None
    variant: str | None = None


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """Another version that answered, and why the one that was asked did not."""

    model_id: UUID
    because: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What is written when the model has answered, or has not."""

    status: PredictionStatus
    latency_ms: float
    output: PredictionOutput | None = None
    confidence: float | None = None
    confidence_basis: ConfidenceBasis | None = None
    error_code: str | None = None
    error: str | None = None
    away: bool = False
    """The model is not there to answer: another version may."""
    stood_in: StandIn | None = None
    baseline: BaselineForecast | None = None
    interval: Interval | None = None
    event: str = ""
    task: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    horizon_bars: int | None = None
    as_of: datetime | None = None
    resolves_at: datetime | None = None
    feature_hash: str | None = None
    cost: PredictionCost | None = None
    spent: tuple[Spent, ...] = ()
    """Becomes cost entries."""
    metadata: dict[str, Any] = {}


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What is written when the outcome is known, or has changed."""

    outcome: Outcome
    grade: PredictionGrade
    loss: float | None
    baseline_loss: float | None
    pit: float | None
    resolved_at: datetime


class PredictionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which predictions a list shows; None leaves it open."""

    model_id: UUID | None = None
    job_id: UUID | None = None
    symbol: str | None = None
    task: str | None = None
    status: str | None = None
    grade: str | None = None
    settled: bool | None = None


class PastForecast(msgspec.Struct, frozen=True, kw_only=True):
    """A settled forecast of a model, as far as its confidence is measured on it."""

    resolved_at: datetime
    low: float | None
    high: float | None
    """As the model gave them."""
    shown_low: float | None
    shown_high: float | None
    outcome: Any
    grade: PredictionGrade


class GradeView(Shape, frozen=True):
    """How a forecast that a message shows turned out, or when that will be known."""

    prediction_id: UUID
    tool_call_id: str
    symbol: str | None
    task: str | None
    event: str
    as_of: datetime | None
    resolves_at: datetime | None
    grade: PredictionGrade | None
    """None: not known yet."""
    outcome: Outcome | None
    value: Any
    interval: Interval | None
    unit: str | None
    resolved_at: datetime | None
    words: str
    """For people: "was right: 4.1 % a day against 3.0–5.0 % expected"."""
