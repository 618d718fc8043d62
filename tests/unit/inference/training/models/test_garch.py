"""GARCH finds the parameters that made the returns, and its path is the plain recursion."""

import numpy as np
import pytest

from inference.requests import Floats
from inference.training.models.garch import Garch, fit_garch


def made(
    bars: int, *, seed: int, alpha: float = 0.08, beta: float = 0.9, nu: float = 6.0
) -> Floats:
    dice = np.random.default_rng(seed)
    shocks = dice.standard_t(nu, bars) * np.sqrt((nu - 2.0) / nu)
    omega, variance = 2e-6, 1e-4
    out = np.empty(bars)
    for index, shock in enumerate(shocks):
        out[index] = 0.0003 + np.sqrt(variance) * shock
        variance = omega + alpha * (out[index] - 0.0003) ** 2 + beta * variance
    return out


def test_it_recovers_what_made_the_returns() -> None:
    fits = [fit_garch(made(6000, seed=seed)) for seed in range(5)]
    found = np.array([[one.alpha, one.beta, one.nu] for one in fits if one is not None])
    assert len(found) == 5
    assert found.mean(axis=0) == pytest.approx([0.08, 0.9, 6.0], abs=0.01, rel=0.12)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    returns = made(3000, seed=1)
    first, cold = fit_garch(returns[:-63]), fit_garch(returns)
    assert first is not None
    assert cold is not None
    warm = fit_garch(returns, start=first)
    assert warm is not None
    assert (warm.alpha, warm.beta) == pytest.approx((cold.alpha, cold.beta), abs=2e-3)


def test_its_path_is_the_recursion() -> None:
    model = Garch(0.0, 1e-6, 0.1, 0.85, 5.0, 1e-4, ())
    returns = made(400, seed=2)
    variance, expected = 1e-4, []
    for one in returns:
        variance = 1e-6 + 0.1 * one**2 + 0.85 * variance
        expected.append(variance)
    np.testing.assert_allclose(model.variances(returns), expected, rtol=1e-10)


def test_further_ahead_it_returns_to_its_level() -> None:
    model = Garch(0.0, 1e-6, 0.1, 0.85, 5.0, 1e-4, ())
    level = 1e-6 / 0.05
    assert model.ahead(np.array([4e-5]), 1)[0] == pytest.approx(4e-5)
    five = np.mean([level + (4e-5 - level) * 0.95**step for step in range(5)])
    assert model.ahead(np.array([4e-5]), 5)[0] == pytest.approx(five)


def test_too_few_or_constant_returns_give_no_model() -> None:
    assert fit_garch(np.zeros(1000)) is None
    assert fit_garch(made(100, seed=3)) is None
