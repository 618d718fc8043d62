"""How sure a prediction is, by what was counted. Pure: nothing is said that was not measured.

A class is as sure as its calibrated probability, beside how often like ones came true. An interval
is as sure as such intervals held: over the model's own settled forecasts once there are enough,
before that over its walk-forward evaluation.
"""

from collections.abc import Sequence

from app.domain.predictions import Bin, ConfidenceBasis, Interval, PastForecast
from inference.bundle import Bundle
from inference.cards import Evaluation
from inference.monitoring import conformal

_UNMEASURED = "Nobody has measured how often such answers are right."


def unmeasured(note: str = _UNMEASURED) -> ConfidenceBasis:
    """Return the basis of no confidence at all."""
    return ConfidenceBasis(kind="not_measured", note=note)


def of_class(
    probabilities: dict[str, float], chosen: str, bundle: Bundle, evaluation: Evaluation | None
) -> tuple[float | None, ConfidenceBasis]:
    """Return the probability of the chosen class, if somebody measured what it is worth."""
    probability = probabilities[chosen]
    measured = evaluation is not None and evaluation.calibration_error is not None
    if evaluation is None or not (measured or evaluation.reliability):
        if not bundle.head.calibration:
            return None, unmeasured("Its probabilities were never compared with what happened.")
        return probability, ConfidenceBasis(kind="calibrated_probability")
    # Of two classes the bins speak of the second; of more, of whichever was chosen.
    second = len(bundle.head.classes) == 2 and chosen == bundle.head.classes[0]
    like = _bin(evaluation.reliability, 1.0 - probability if second else probability)
    if like is not None and second:
        like = Bin(forecast=1.0 - like.forecast, observed=1.0 - like.observed, n=like.n)
    return probability, ConfidenceBasis(
        kind="calibrated_probability",
        measured_on="walk_forward",
        n=like.n if like is not None else evaluation.n,
        observed=None if like is None else like.observed,
        bin=like,
        calibration_error=evaluation.calibration_error,
    )


def of_interval(
    low: float,
    high: float,
    *,
    nominal: float,
    positive: bool,
    past: Sequence[PastForecast],
    evaluation: Evaluation | None,
) -> tuple[Interval, float | None, ConfidenceBasis]:
    """Return the interval to show, and how often such intervals held."""
    usable = [
        conformal.Past(one.low, one.high, float(one.outcome))
        for one in past
        if one.low is not None and one.high is not None and _is_number(one.outcome)
    ]
    correction = conformal.correct(usable, nominal=nominal, positive=positive)
    if not correction.n:
        return _by_evaluation(low, high, nominal, evaluation, settled=len(usable))
    moved = conformal.apply(low, high, correction, positive=positive)
    interval = Interval(low=moved[0], high=moved[1], level=nominal, model_low=low, model_high=high)
    n, observed = correction.n - conformal.LEAST, correction.coverage
    if observed is None or n < conformal.LEAST:
        shown = [one for one in past if one.grade in ("hit", "miss")]
        n = len(shown)
        observed = sum(one.grade == "hit" for one in shown) / n
    return (
        interval,
        observed,
        ConfidenceBasis(
            kind="measured_coverage",
            measured_on="settled_predictions",
            n=n,
            nominal=nominal,
            observed=observed,
            adapted_level=correction.level,
        ),
    )


def _by_evaluation(
    low: float, high: float, nominal: float, evaluation: Evaluation | None, *, settled: int
) -> tuple[Interval, float | None, ConfidenceBasis]:
    interval = Interval(low=low, high=high, level=nominal)
    observed = None if evaluation is None else _coverage(evaluation, nominal)
    if evaluation is None or observed is None:
        note = f"Nobody has measured how often its {100 * nominal:g} % intervals hold."
        return interval, None, unmeasured(note)
    note = (
        f"{settled} forecasts of this model are settled; from {conformal.LEAST} on they count "
        "instead of the evaluation."
    )
    return (
        interval,
        observed,
        ConfidenceBasis(
            kind="measured_coverage",
            measured_on="walk_forward",
            n=evaluation.n,
            nominal=nominal,
            observed=observed,
            note=note,
        ),
    )


def _coverage(evaluation: Evaluation, nominal: float) -> float | None:
    """Return the measured coverage of a nominal level, however the level is written."""
    for level, observed in evaluation.coverage.items():
        try:
            if abs(float(level) - nominal) < 1e-6:
                return observed
        except ValueError:
            continue
    return None


def _bin(bins: Sequence[tuple[float, float, int]], probability: float) -> Bin | None:
    """Return the bin whose mean forecast is nearest."""
    filled = [one for one in bins if one[2] > 0]
    if not filled:
        return None
    forecast, observed, n = min(filled, key=lambda one: abs(one[0] - probability))
    return Bin(forecast=forecast, observed=observed, n=n)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
