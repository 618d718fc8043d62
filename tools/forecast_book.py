"""What the forecast tools ask of whoever makes forecasts, and in which words it answers."""

from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

What: TypeAlias = Literal["volatility", "returns", "regime", "direction"]
TASK_OF: dict[What, str] = {
    "volatility": "variance",
    "returns": "return_quantiles",
    "regime": "volatility_regime",
    "direction": "direction",
}
"""What people ask for -> the task of the models that forecast it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast that is asked for."""

    symbol: str
    what: What
    horizon_bars: int
    timeframe: str
    as_of: datetime
    """When the last bar that may be read had closed; of the past, the moment that is asked about:
    bars are read as they were known then."""
    past: bool = False
    fingerprint: str
    """Of its bars: a correction of them is another question."""


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """How the model did on what it had not seen, against the best plain way."""

    value: float
    """1 - its loss / the baseline's: a share, above 0 it is better."""
    low: float
    high: float
    """95 % interval."""
    baseline: str
    metric: str
    n: int
    has_edge: bool


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the confidence comes from."""

    confidence: float
    """A share: of outcomes inside such intervals, or the probability of the class."""
    n: int
    observed: float | None
    """How often like forecasts came true."""
    measured_on: str
    """ "settled forecasts" or "walk-forward evaluation"."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast in the units of its model. Shares are fractions."""

    prediction_id: str
    model: str
    """name@version."""
    model_id: str
    event: str
    horizon_bars: int
    as_of: datetime
    resolves_at: datetime | None
    value: Any
    low: float | None = None
    high: float | None = None
    level: float | None = None
    quantiles: dict[float, float] = {}
    probabilities: dict[str, float] = {}
    classes: tuple[str, ...] = ()
    """Of two, the second is the event."""
    baseline_name: str = ""
    baseline_value: Any = None
    baseline_low: float | None = None
    baseline_high: float | None = None
    baseline_quantiles: dict[float, float] = {}
    baseline_probabilities: dict[str, float] = {}
    skill: Skill | None = None
    basis: Basis | None = None
    contributions: dict[str, float] = {}
    after_the_fact: bool = False
    """Whether bars that followed were stored already when it was made."""
    learned_until: datetime | None = None
    """Up to when the model's own data goes; None where nobody knows."""
    degraded: bool = False
    """Another version than the champion answered, because that one could not."""
    asked_model: str = ""
    """The champion then, name@version."""
    degraded_because: str = ""
    latency_ms: float = 0.0
    cost: str = "not known"
    """What it cost, in words."""


class Untrained(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing here forecasts that."""

    reason: str
    how: str
    """What would make it possible."""
    model: str = ""
    """One that was trained, judged, and found no better than its baseline."""
    skill: Skill | None = None


class PastTold(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier forecast, in the units of its model, and how it turned out."""

    prediction_id: str
    symbol: str
    what: What
    model: str
    horizon_bars: int
    timeframe: str
    as_of: datetime
    resolves_at: datetime | None
    value: Any
    low: float | None
    high: float | None
    probabilities: dict[str, float]
    classes: tuple[str, ...]
    grade: str | None
    """None: not known yet."""
    outcome: Any
    loss: float | None
    baseline_loss: float | None
    baseline_name: str


class ForecastBook(Protocol):
    """Makes forecasts and remembers them."""

    async def forecast(
        self, wanted: Wanted, *, principal_id: str, deadline_s: float
    ) -> Told | Untrained:
        """Return the champion's forecast; asked again, the same one.

        Raises:
            ToolError: it could not be made; says why.
        """
        ...

    async def past(
        self, symbol: str | None, *, what: What | None, principal_id: str, limit: int
    ) -> list[PastTold]:
        """Return this person's newest forecasts, the newest first."""
        ...
