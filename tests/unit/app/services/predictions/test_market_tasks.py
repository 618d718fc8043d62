"""Outcomes, losses and grades by known answers."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from app.domain.ids import new_id
from app.domain.predictions import BaselineForecast, Interval, Prediction, PredictionOutput
from app.services.predictions.market_tasks import (
    TASKS,
    brier,
    grade,
    pinball,
    pit_of,
    qlike,
    realised_variance,
    total_return,
)
from inference.panel import Series

WHEN = datetime(2026, 1, 5, tzinfo=UTC)


def series(close: list[float], *, half_range: float = 0.0) -> Series:
    """Return bars that open where the one before closed; high and low lie around both."""
    closes = np.array(close, dtype=float)
    opens = np.concatenate([closes[:1], closes[:-1]])
    times = np.datetime64("2026-01-05T21:00:00", "s") + np.arange(len(closes)) * np.timedelta64(
        86_400, "s"
    )
    high, low = np.maximum(opens, closes), np.minimum(opens, closes)
    return Series(
        "X",
        times,
        opens,
        high * math.exp(half_range),
        low * math.exp(-half_range),
        closes,
        np.full(len(closes), 100.0),
        closes,
    )


def prediction(**changed: Any) -> Prediction:
    given: dict[str, Any] = dict(
        id=new_id(), model_id=new_id(), model_version="m@1", user_id=None, request_id="r",
        timeframe="1d", input={},
        output=PredictionOutput(value=1.0), confidence=None, confidence_basis=None,
        latency_ms=1.0, status="completed", created_at=WHEN,
    )  # fmt: skip
    return Prediction(**{**given, **changed})


def test_what_happens_is_counted_only_over_the_bars_of_the_horizon() -> None:
    rng = np.random.default_rng(1)
    known = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=40)))
    bars = series([*known, 110.0, 121.0, 121.0, 50.0])
    assert total_return(bars, 39, 2) == pytest.approx(math.log(121.0 / known[-1]))
    # Garman and Klass without a gap or wicks: what the body alone says.
    share = 0.5 - (2 * math.log(2) - 1)
    bodies = [math.log(110.0 / known[-1]), math.log(1.1)]
    expected = share * float(np.mean(np.square(bodies)))
    assert realised_variance(bars, 39, 2) == pytest.approx(expected)


def test_a_perfect_variance_loses_nothing_and_twice_too_low_loses_more_than_twice_too_high() -> (
    None
):
    assert qlike(2.0, 2.0) == 0.0
    assert qlike(1.0, 2.0) == pytest.approx(1 - math.log(2))
    assert qlike(4.0, 2.0) == pytest.approx(0.5 - math.log(0.5) - 1)
    assert qlike(0.0, 2.0) is None


def test_pinball_and_brier_are_as_in_the_books() -> None:
    assert pinball({"0.1": 0.0}, 1.0) == pytest.approx(0.1)
    assert pinball({"0.9": 0.0}, 1.0) == pytest.approx(0.9)
    assert pinball({"0.1": 0.0, "0.9": 0.0}, -1.0) == pytest.approx(0.5)
    assert brier({"up": 0.7, "down": 0.3}, "up", True) == pytest.approx(0.09)


def test_a_pit_is_read_between_the_quantiles_and_says_little_outside_them() -> None:
    quantiles = {"0.1": -1.0, "0.5": 0.0, "0.9": 1.0}
    assert pit_of(quantiles, 0.5) == pytest.approx(0.7)
    assert pit_of(quantiles, -2.0) == pytest.approx(0.05)
    assert pit_of(quantiles, 2.0) == pytest.approx(0.95)
    assert pit_of({}, 0.0) is None


def test_an_interval_is_right_where_it_holds_the_outcome_and_the_baseline_is_judged_alike() -> None:
    made = prediction(
        output=PredictionOutput(value=1e-4),
        interval=Interval(low=5e-5, high=2e-4, level=0.8),
        baseline=BaselineForecast(name="log-HAR", value=2e-4),
    )
    graded = grade(TASKS["variance"], made, 1e-4)
    assert (graded.hit, graded.loss) == (True, 0.0)
    assert graded.baseline_loss == pytest.approx(qlike(2e-4, 1e-4))
    assert graded.words == "1.0\u00a0% a day"
    assert graded.pit == pytest.approx(np.interp(1e-4, [5e-5, 2e-4], [0.1, 0.9]))
    assert grade(TASKS["variance"], made, 3e-4).hit is False


def test_an_event_is_the_second_class_whatever_order_the_probabilities_come_in() -> None:
    made = prediction(
        output=PredictionOutput(value="up", probabilities={"up": 0.6, "down": 0.4}),
        baseline=BaselineForecast(name="base rate", value="up", probabilities={"up": 0.5}),
        metadata={"classes": ["down", "up"]},
    )
    graded = grade(TASKS["direction"], made, 0.0)
    assert (graded.value, graded.hit) == ("down", False)
    assert graded.loss == pytest.approx(0.36)
    assert graded.baseline_loss == pytest.approx(0.25)


def test_a_turbulent_stretch_lies_above_three_quarters_of_what_was_known_before() -> None:
    rng = np.random.default_rng(3)
    calm = 100 * np.exp(np.cumsum(0.005 * rng.normal(size=200)))
    wild = calm[-1] * np.exp(np.cumsum(np.tile([0.05, -0.05], 3)))
    happened = TASKS["volatility_regime"].happened
    assert happened(series([*calm, *wild]), 199, 5) == 1.0
    still = np.full(6, calm[-1])
    assert happened(series([*calm, *still]), 199, 5) == 0.0
