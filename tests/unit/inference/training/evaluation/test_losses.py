"""Losses with known values, and properties that make them honest."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from inference.training.evaluation import losses


def test_qlike_is_zero_only_for_the_truth() -> None:
    outcome = np.array([1e-4, 4e-4])
    assert losses.qlike(outcome, outcome) == pytest.approx([0.0, 0.0])
    assert losses.qlike(outcome, 2 * outcome) == pytest.approx([0.5 + np.log(2) - 1] * 2)
    assert losses.qlike(1e6 * outcome, 2e6 * outcome) == pytest.approx(
        losses.qlike(outcome, 2 * outcome)
    )


def test_pinball_is_least_at_the_quantile() -> None:
    draws = np.random.default_rng(0).standard_normal(20_000)
    levels = (0.1, 0.9)
    right = np.quantile(draws, levels)
    at = losses.pinball(draws, np.tile(right, (len(draws), 1)), levels).mean()
    for shift in (-0.2, 0.2):
        moved = np.tile(right + shift, (len(draws), 1))
        assert losses.pinball(draws, moved, levels).mean() > at
    assert losses.pinball(np.array([1.0]), np.array([[0.0]]), (0.9,)) == pytest.approx([0.9])


def test_auc_is_that_of_scikit_learn_with_ties() -> None:
    dice = np.random.default_rng(1)
    happened = (dice.random(500) < 0.3).astype(float)
    score = np.round(happened * 0.3 + dice.random(500), 1)
    assert losses.auc(happened, score) == pytest.approx(roc_auc_score(happened, score))
    assert losses.auc(np.ones(3), np.arange(3.0)) is None


def test_a_true_probability_is_calibrated_and_a_boastful_one_is_not() -> None:
    dice = np.random.default_rng(2)
    told = dice.random(20_000)
    happened = (dice.random(20_000) < told).astype(float)
    assert losses.calibration_error(happened, told) < 0.015
    boast = np.where(told > 0.5, 0.95, 0.05)
    assert losses.calibration_error(happened, boast) > 0.15
    bins = losses.reliability(happened, told)
    assert [cases for _, _, cases in bins] == [2000] * 10
    assert losses.log_loss(happened, told).mean() < losses.log_loss(happened, boast).mean()
    assert losses.brier(happened, told).mean() < losses.brier(happened, boast).mean()


def test_coverage_counts_both_ends() -> None:
    outcome = np.array([0.0, 1.0, 2.0, 3.0])
    assert losses.coverage(outcome, np.full(4, 1.0), np.full(4, 2.0)) == 0.5
