"""The learner finds the policy that is known to be best, and its slopes are the true ones."""

import numpy as np
import pytest

from inference.training.models.policy_gradient import TrackingProblem, descend
from inference.training.models.trading_band import (
    Costs,
    Days,
    Edges,
    edges_of,
    loss_and_slope,
    simulate,
)


@pytest.mark.parametrize("problem", [TrackingProblem(0.9, 1.0), TrackingProblem(0.95, 10.0)])
def test_it_recovers_the_known_linear_optimum_within_two_percent(problem: TrackingProblem) -> None:
    objective = problem.objective(paths=1000, steps=300, burn_in=50, seed=1)
    found = descend(objective, np.array([0.0, 0.5]), steps=150, rate=0.05)
    keep, take = problem.optimum()
    assert found[0] == pytest.approx(keep, rel=0.02)
    assert found[1] == pytest.approx(take, rel=0.02)


def test_the_closed_form_solves_the_equation_of_its_value() -> None:
    problem = TrackingProblem(0.9, 3.0)
    keep, take = problem.optimum()
    value = problem.cost * (1 - keep)
    assert keep == pytest.approx(problem.cost / (1 + problem.cost + value))
    cross = -problem.cost * take
    assert take == pytest.approx((1 - cross * 0.9) / (1 + problem.cost + value))
    free = TrackingProblem(0.9, 0.0)
    assert free.optimum() == (0.0, 1.0)


def invented(bars: int = 120, stretches: int = 6, seed: int = 0) -> Days:
    dice = np.random.default_rng(seed)
    shape = (bars, stretches)
    wanted = np.exp(np.cumsum(0.05 * dice.standard_normal(shape), axis=0) * 0.5)
    counts = np.ones(shape)
    counts[:10] = 0.0
    return Days(
        wanted,
        dice.uniform(-1, 1, shape),
        dice.uniform(-1, 1, shape),
        0.02 * dice.standard_normal(shape),
        counts,
    )


def test_slopes_along_a_path_are_those_of_small_differences() -> None:
    days, costs = invented(), Costs(aversion=30.0, cost=0.001)
    numbers = np.array([-2.0, 0.3, -0.2, -1.8, 0.4, 0.1])
    _, slope = loss_and_slope(days, numbers, costs)
    for index in range(len(numbers)):
        step = np.zeros(len(numbers))
        step[index] = 1e-6
        up, _ = loss_and_slope(days, numbers + step, costs)
        down, _ = loss_and_slope(days, numbers - step, costs)
        assert slope[index] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)


def test_a_band_that_is_nothing_stays_on_target_and_an_endless_one_never_trades() -> None:
    days, costs = invented(), Costs(aversion=30.0, cost=0.001)
    always = simulate(days, Edges(0.0, 0.0), costs)
    never = simulate(days, Edges(50.0, 50.0), costs)
    assert always.off.max() < 1e-20
    assert always.traded[20:].min() > 0
    assert never.traded.max() < 1e-12
    assert never.off.sum() > 0


def test_a_jump_of_the_target_costs_what_can_be_worked_out_by_hand() -> None:
    shape = (2, 1)
    days = Days(
        wanted=np.array([[1.0], [0.5]]),
        level=np.zeros(shape),
        trend=np.zeros(shape),
        moved=np.array([[0.0], [0.1]]),
        counts=np.ones(shape),
    )
    run = simulate(days, Edges(0.2, 0.2), Costs(aversion=5.0, cost=0.001))
    left = 0.5 * np.exp(0.2)
    assert run.traded[:, 0] == pytest.approx([0.0, 1.0 - left])
    assert run.paid[1, 0] == pytest.approx(0.001 * (1.0 - left))
    assert run.off[1, 0] == pytest.approx(0.5 * 5.0 * 0.01 * (left - 0.5) ** 2)


def test_edges_never_cross_whatever_the_numbers() -> None:
    dice = np.random.default_rng(3)
    for _ in range(200):
        edges = edges_of(dice.normal(0, 5, 6))
        for z in ((2, 2), (-2, 2), (2, -2), (-2, -2)):
            assert edges.below + np.dot(edges.below_slopes, z) > 0
            assert edges.above + np.dot(edges.above_slopes, z) > 0


def test_dear_trading_widens_the_band() -> None:
    days = invented(stretches=20)

    def width(cost: float) -> float:
        costs = Costs(aversion=30.0, cost=cost)
        found = descend(
            lambda numbers: loss_and_slope(days, numbers, costs),
            np.log([0.1]),
            steps=80,
            rate=0.15,
        )
        return edges_of(found).above

    assert width(0.0001) < width(0.001) < width(0.01)
