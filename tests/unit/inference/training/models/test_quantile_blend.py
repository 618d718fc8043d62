"""A blend's weight is found where it is known, and looks at nothing that comes later."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.walk_forward import Cases
from inference.training.models.quantile_blend import EVEN, LEAST, best_weight, blend

LEVELS = (0.1, 0.5, 0.9)
SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


def made(count: int, *, seed: int = 0) -> tuple[Cases, Floats, Floats]:
    """Return cases, and two forecasts that each know one half of what moves the deviation."""
    dice = np.random.default_rng(seed)
    one, two = dice.normal(0.0, 0.4, (2, count))
    outcomes = np.exp(one + two) * dice.standard_normal(count)
    days = np.arange(count + 5).astype("datetime64[D]").astype("datetime64[s]")
    cases = Cases(
        names=(),
        rows=np.empty((count, 0)),
        outcomes=outcomes,
        times=days[:count],
        released=days[5:],
        symbols=np.zeros(count, dtype=np.int64),
        symbol_names=("X",),
        horizon=5,
        aside=np.full(count, np.nan),
    )
    first, second = (np.exp(part)[:, None] * SCORES for part in (one, two))
    return cases, first, second


def loss(cases: Cases, quantiles: Floats) -> float:
    return float(losses.pinball(cases.outcomes, quantiles, LEVELS).mean())


def test_two_that_know_different_things_are_better_together() -> None:
    cases, first, second = made(4000)
    found = blend(cases, first, second, LEVELS, block_bars=250)
    assert found.weight == pytest.approx(0.5, abs=0.15)
    assert loss(cases, found.quantiles) < min(loss(cases, first), loss(cases, second))
    assert (np.diff(found.quantiles, axis=1) > 0.0).all()


def test_one_that_knows_nothing_gets_no_weight() -> None:
    cases, first, _ = made(4000, seed=1)
    useless = np.full_like(first, 1.0) * 3.0 * SCORES
    assert best_weight(cases.outcomes, first, useless, LEVELS) >= 0.9


def test_too_few_cases_give_even_weights() -> None:
    cases, first, second = made(LEAST - 1)
    assert best_weight(cases.outcomes, first, second, LEVELS) == EVEN


def test_what_comes_later_moves_no_earlier_mixture() -> None:
    cases, first, second = made(3000, seed=2)
    found = blend(cases, first, second, LEVELS, block_bars=250).quantiles
    late = np.arange(3000) > 1500
    poisoned = replace(cases, outcomes=np.where(late, 1e6, cases.outcomes))
    again = blend(poisoned, first, second, LEVELS, block_bars=250).quantiles
    np.testing.assert_array_equal(found[:1500], again[:1500])
    assert not np.array_equal(found, again)
