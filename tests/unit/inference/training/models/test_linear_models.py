"""Fits against known weights and against scikit-learn."""

import numpy as np
import pytest
from safetensors.numpy import load
from sklearn.linear_model import GammaRegressor, LogisticRegression

from inference.training.evaluation.conformal import conformal_quantiles
from inference.training.models.linear_models import (
    fit_log_variance,
    fit_logit,
    fit_platt,
    fit_variance,
    sigmoid,
)

DICE = np.random.default_rng(0)
ROWS = DICE.standard_normal((4000, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, -1.0]
WEIGHTS = np.array([0.5, -0.1, 2.0])


def test_the_variance_fit_is_the_gamma_regression_of_scikit_learn() -> None:
    variance = np.exp(ROWS @ WEIGHTS - 8.0) * DICE.gamma(3.0, 1 / 3.0, len(ROWS))
    ours = fit_variance(ROWS, variance, ridge=0.0)
    theirs = GammaRegressor(alpha=0.0, max_iter=10_000, tol=1e-9).fit(ROWS, variance)
    assert ours.weight == pytest.approx(theirs.coef_, abs=2e-3)
    assert ours.weight == pytest.approx(WEIGHTS, abs=0.1)
    assert np.mean(variance / np.exp(ours(ROWS))) == pytest.approx(1.0, abs=1e-6)


def test_one_unknown_split_does_not_move_the_weights() -> None:
    variance = np.exp(ROWS @ WEIGHTS - 8.0) * DICE.gamma(3.0, 1 / 3.0, len(ROWS))
    clean = fit_variance(ROWS, variance, ridge=1.0)
    spoilt = variance.copy()
    spoilt[10] *= 1e6
    found = fit_variance(ROWS, spoilt, ridge=1.0)
    assert found.weight == pytest.approx(clean.weight, abs=0.05)


def test_the_log_fit_is_smeared_to_the_mean() -> None:
    variance = np.exp(ROWS @ WEIGHTS - 8.0 + DICE.standard_normal(len(ROWS)))
    found = fit_log_variance(ROWS, variance)
    assert found.weight == pytest.approx(WEIGHTS, abs=0.15)
    assert np.mean(variance / np.exp(found(ROWS))) == pytest.approx(1.0, abs=1e-3)


def test_the_logit_is_scikit_learns() -> None:
    happened = (DICE.random(len(ROWS)) < sigmoid(ROWS @ WEIGHTS + 2.0)).astype(float)
    scaled = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(scaled, happened)
    ours = fit_logit(ROWS, happened, ridge=2.0)
    expected = theirs.predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(sigmoid(ours(ROWS)), expected, atol=1e-5)


def test_an_event_that_always_happens_has_finite_odds() -> None:
    found = fit_logit(ROWS, np.ones(len(ROWS)), ridge=1.0)
    assert 0.99 < sigmoid(found(ROWS))[0] < 1.0


def test_a_constant_column_gets_no_weight() -> None:
    rows = np.hstack([ROWS, np.full((len(ROWS), 1), 7.0)])
    variance = np.exp(ROWS @ WEIGHTS - 8.0)
    assert fit_variance(rows, variance, ridge=1.0).weight[-1] == pytest.approx(0.0, abs=1e-6)


def test_platt_undoes_a_boast() -> None:
    truth = DICE.uniform(0.05, 0.95, 20_000)
    happened = (DICE.random(20_000) < truth).astype(float)
    odds = np.log(truth / (1.0 - truth))
    a, b = fit_platt(sigmoid(2.0 * odds + 0.5), happened)
    assert (a, b) == pytest.approx((0.5, -0.25), abs=0.05)


def test_weights_are_saved_as_the_architecture_wants_them() -> None:
    found = fit_log_variance(ROWS, np.exp(ROWS @ WEIGHTS))
    tensors = load(found.to_bytes())
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "weight": (1, 3),
        "bias": (1,),
        "input_mean": (3,),
    }


def test_conformal_intervals_cover_what_they_promise() -> None:
    dice = np.random.default_rng(4)
    for count in (50, 200):
        inside = []
        for _ in range(2000):
            residuals = dice.standard_t(4, count)
            low, high = conformal_quantiles(residuals, (0.1, 0.9))
            new = dice.standard_t(4, 10)
            inside.append(((new >= low) & (new <= high)).mean())
        assert np.mean(inside) + 0.01 >= 0.80
        assert np.mean(inside) < 0.85
