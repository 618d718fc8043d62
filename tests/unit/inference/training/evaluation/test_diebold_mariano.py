"""The test has its size where there is no difference, and its interval covers the truth."""

import numpy as np
import pytest

from inference.monitoring.long_run import newey_west
from inference.requests import Floats
from inference.training.evaluation.diebold_mariano import compare, t_of_mean

TRIES = 400


def overlapping(dice: np.random.Generator, bars: int, horizon: int) -> Floats:
    """Return noise whose neighbours share `horizon` - 1 shocks, as overlapping labels do."""
    shocks = dice.standard_normal(bars + horizon)
    return np.convolve(shocks, np.ones(horizon) / horizon, mode="valid")[:bars]


@pytest.mark.parametrize("horizon", [1, 5])
def test_equal_forecasts_are_told_apart_one_time_in_twenty(horizon: int) -> None:
    dice = np.random.default_rng(horizon)
    found = [
        abs(t_of_mean(overlapping(dice, 1200, horizon), horizon=horizon)) > 1.96
        for _ in range(TRIES)
    ]
    # The Bartlett weights make it a little too eager when labels overlap: known, and bounded here.
    assert 0.02 < np.mean(found) < 0.10


def test_without_allowing_for_overlap_it_would_cry_wolf() -> None:
    dice = np.random.default_rng(3)
    wrong = [abs(t_of_mean(overlapping(dice, 1200, 5), horizon=0)) > 1.96 for _ in range(TRIES)]
    assert np.mean(wrong) > 0.25


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_interval_of_skill_covers_the_truth(horizon: int) -> None:
    dice = np.random.default_rng(10 + horizon)
    days, symbols, truth = 1000, 4, 0.1
    times = np.repeat(np.arange(days), symbols).astype("datetime64[D]").astype("datetime64[s]")
    inside, width = 0, []
    for _ in range(TRIES):
        day = np.exp(0.5 * overlapping(dice, days, horizon))
        common = np.repeat(day, symbols) * dice.gamma(2.0, 0.5, days * symbols)
        model = (1.0 - truth) * common * dice.gamma(50.0, 0.02, days * symbols)
        found = compare(model, common, times, horizon=horizon)
        inside += found.low <= truth <= found.high
        width.append(found.high - found.low)
    assert 0.91 < inside / TRIES < 0.99
    assert np.mean(width) < 0.1


def test_a_better_model_has_a_negative_t_and_skill_above_zero() -> None:
    dice = np.random.default_rng(5)
    times = np.arange(800).astype("datetime64[D]").astype("datetime64[s]")
    baseline = dice.gamma(2.0, 0.5, 800)
    found = compare(0.9 * baseline, baseline, times, horizon=1)
    assert found.t < -5.0
    assert found.skill == pytest.approx(0.1)
    assert found.low > 0.0
    back = compare(baseline, 0.9 * baseline, times, horizon=1)
    assert back.t > 5.0
    assert back.high < 0.0


def test_the_same_forecast_is_neither_better_nor_worse() -> None:
    losses = np.random.default_rng(6).gamma(2.0, 0.5, 100)
    times = np.arange(100).astype("datetime64[D]").astype("datetime64[s]")
    found = compare(losses, losses, times, horizon=1)
    assert (found.skill, found.low, found.high, found.t) == (0.0, 0.0, 0.0, 0.0)


def test_instruments_of_one_day_are_one_piece_of_luck() -> None:
    dice = np.random.default_rng(8)
    day = dice.standard_normal(300)
    times = np.arange(300).astype("datetime64[D]").astype("datetime64[s]")
    many = compare(
        2.0 + 0.2 + np.tile(day * 0.3, 20), np.full(6000, 2.0), np.tile(times, 20), horizon=1
    )
    one = compare(2.0 + 0.2 + day * 0.3, np.full(300, 2.0), times, horizon=1)
    assert many.t == pytest.approx(one.t)
    assert many.high - many.low == pytest.approx(one.high - one.low)


def test_newey_west_gives_the_long_run_variance_of_a_moving_average() -> None:
    shocks = np.random.default_rng(9).standard_normal(200_001)
    series = shocks[1:] + 0.5 * shocks[:-1]
    assert newey_west(series, 40) == pytest.approx(1.5**2, rel=0.05)
