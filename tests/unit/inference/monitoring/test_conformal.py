"""Rolling conformal inference on series whose truth is known."""

import math

import numpy as np
import pytest

from inference.monitoring.conformal import LEAST, Correction, Past, apply, correct, score


def test_a_score_counts_widths_outside_and_is_negative_inside() -> None:
    assert score(Past(0.0, 2.0, 3.0), positive=False) == pytest.approx(0.5)
    assert score(Past(0.0, 2.0, -1.0), positive=False) == pytest.approx(0.5)
    assert score(Past(0.0, 2.0, 1.0), positive=False) == pytest.approx(-0.5)
    assert score(Past(1.0, math.e, math.e**2), positive=True) == pytest.approx(1.0)


def test_few_settled_intervals_correct_nothing_and_say_so() -> None:
    found = correct([Past(0, 1, 5)] * (LEAST - 1), nominal=0.8, positive=False)
    assert found == Correction(0.0, 0.8, 0, None)
    assert apply(1.0, 2.0, found, positive=True) == (1.0, 2.0)


def test_intervals_that_are_too_narrow_are_widened_until_they_cover_what_they_promise() -> None:
    draws = np.random.default_rng(7).normal(size=4_000)
    # Half as wide as the 80 % interval of a standard normal.
    half = 0.5 * 1.2816
    past = [Past(-half, half, float(y)) for y in draws[:2_000]]
    found = correct(past, nominal=0.8, positive=False, window=2_000)
    low, high = apply(-half, half, found, positive=False)
    inside = np.mean((draws[2_000:] >= low) & (draws[2_000:] <= high))
    assert found.n == 2_000
    assert abs(float(inside) - 0.8) < 0.05
    assert found.coverage is not None
    assert abs(found.coverage - 0.8) < 0.03


def test_a_change_of_regime_is_followed() -> None:
    rng = np.random.default_rng(11)
    calm, wild = rng.normal(size=600), 4.0 * rng.normal(size=600)
    past = [Past(-1.2816, 1.2816, float(y)) for y in np.concatenate([calm, wild])]
    found = correct(past, nominal=0.8, positive=False)
    low, high = apply(-1.2816, 1.2816, found, positive=False)
    fresh = 4.0 * rng.normal(size=4_000)
    assert abs(float(np.mean((fresh >= low) & (fresh <= high))) - 0.8) < 0.06


def test_a_positive_quantity_stays_positive() -> None:
    found = Correction(2.0, 0.9, 100, 0.8)
    low, high = apply(1.0, 4.0, found, positive=True)
    assert low == pytest.approx(1 / 16)
    assert high == pytest.approx(64.0)


def test_a_nominal_coverage_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct([], nominal=80.0, positive=False)
