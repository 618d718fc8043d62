"""Confidence is counted, or it is not there."""

from datetime import UTC, datetime

import pytest

from app.domain.predictions import PastForecast
from app.services.predictions.confidence import of_class, of_interval
from inference.bundle import Bundle, Head, InputColumn, Member
from inference.cards import BaselineScore, Evaluation
from inference.monitoring.conformal import LEAST

WHEN = datetime(2026, 1, 5, tzinfo=UTC)


def bundle(calibration: dict[str, object] | None = None) -> Bundle:
    return Bundle(
        name="regime",
        recipe="volatility_regime",
        task="volatility_regime",
        model_type="classification",
        framework="numpy",
        inputs=(InputColumn(name="x"),),
        members=(Member(name="linear", runtime="numpy", file="w.safetensors"),),
        head=Head(kind="classes", classes=("calm", "high"), calibration=calibration or {}),
    )


def evaluation(**changed: object) -> Evaluation:
    given: dict[str, object] = dict(
        metric="Brier score",
        loss=0.16,
        n=10_116,
        n_refits=14,
        first=WHEN,
        last=WHEN,
        purge_bars=5,
        baselines=(
            BaselineScore(
                name="persistence", loss=0.17, skill=0.06, skill_low=0.02, skill_high=0.1
            ),
        ),
    )
    return Evaluation(**{**given, **changed})  # type: ignore[arg-type]


def past(n: int, hits: int) -> list[PastForecast]:
    """Return forecasts of 1 to 2; the first ones hit."""
    return [
        PastForecast(
            resolved_at=WHEN,
            low=1.0,
            high=2.0,
            shown_low=1.0,
            shown_high=2.0,
            outcome=1.5 if index < hits else 2.5,
            grade="hit" if index < hits else "miss",
        )
        for index in range(n)
    ]


def test_a_class_is_as_sure_as_its_probability_beside_what_like_ones_did() -> None:
    measured = evaluation(
        calibration_error=0.024, reliability=((0.1, 0.12, 900), (0.7, 0.66, 700), (0.9, 0.93, 400))
    )
    confidence, basis = of_class({"calm": 0.28, "high": 0.72}, "high", bundle(), measured)
    assert confidence == 0.72
    assert (basis.observed, basis.n, basis.measured_on) == (0.66, 700, "walk_forward")
    assert basis.calibration_error == 0.024


def test_the_bins_of_two_classes_are_turned_round_for_the_first() -> None:
    measured = evaluation(calibration_error=0.02, reliability=((0.1, 0.12, 900), (0.7, 0.66, 700)))
    confidence, basis = of_class({"calm": 0.9, "high": 0.1}, "calm", bundle(), measured)
    assert confidence == 0.9
    assert basis.bin is not None
    assert basis.bin.forecast == pytest.approx(0.9)
    assert basis.observed == pytest.approx(0.88)
    assert basis.n == 900


def test_probabilities_that_nobody_measured_are_no_confidence() -> None:
    confidence, basis = of_class({"calm": 0.01, "high": 0.99}, "high", bundle(), None)
    assert confidence is None
    assert basis.kind == "not_measured"


def test_few_settled_forecasts_leave_the_walk_forward_coverage() -> None:
    interval, confidence, basis = of_interval(
        1.0, 2.0, nominal=0.8, positive=False, past=past(LEAST - 1, 10),
        evaluation=evaluation(coverage={"0.80": 0.79}),
    )  # fmt: skip
    assert (interval.low, interval.high, interval.model_low) == (1.0, 2.0, None)
    assert confidence == 0.79
    assert (basis.measured_on, basis.n, basis.nominal) == ("walk_forward", 10_116, 0.8)


def test_enough_settled_forecasts_count_and_move_the_interval() -> None:
    interval, confidence, basis = of_interval(
        1.0, 2.0, nominal=0.8, positive=False, past=past(60, 30), evaluation=evaluation()
    )
    # Half of them missed by half a width: the interval has to grow by that much.
    assert (interval.low, interval.high) == (0.5, 2.5)
    assert (interval.model_low, interval.model_high) == (1.0, 2.0)
    assert confidence == 0.5
    assert (basis.measured_on, basis.n) == ("settled_predictions", 60)
    # Ten hits after the first fifty, each of which lowers the level by 0.02 x 0.2.
    assert basis.adapted_level == pytest.approx(0.76)


def test_an_interval_without_any_measurement_has_no_confidence() -> None:
    interval, confidence, basis = of_interval(
        1.0, 2.0, nominal=0.8, positive=False, past=[], evaluation=None
    )
    assert interval.level == 0.8
    assert confidence is None
    assert basis.kind == "not_measured"
