"""The scores of label probabilities have the values that can be worked out by hand."""

import numpy as np
import pytest

from inference.training.evaluation import label_scores as scores

TRUTH = np.array([0, 1, 2, 1])
SURE = np.eye(3)[TRUTH]
EVEN = np.full((4, 3), 1 / 3)


def test_certainty_that_is_right_costs_nothing_and_certainty_that_is_wrong_costs_two() -> None:
    assert scores.brier(SURE, TRUTH).tolist() == [0, 0, 0, 0]
    assert scores.brier(np.roll(SURE, 1, axis=1), TRUTH).tolist() == [2, 2, 2, 2]
    assert scores.brier(EVEN, TRUTH) == pytest.approx([2 / 3] * 4)
    assert scores.log_loss(EVEN, TRUTH) == pytest.approx([np.log(3)] * 4)


def test_macro_f1_is_the_mean_over_classes() -> None:
    found = np.eye(3)[[0, 1, 1, 1]]  # the third class is never found
    precision, recall, f1 = scores.precision_recall_f1(found, TRUTH)
    assert precision == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert recall == pytest.approx(2 / 3)
    assert f1 == pytest.approx((1 + 0.8 + 0) / 3)
    assert scores.accuracy(found, TRUTH) == 0.75


def test_calibration_error_is_the_distance_between_claim_and_rate() -> None:
    claimed = np.tile([0.9, 0.1], (100, 1))
    truth = np.array([0] * 60 + [1] * 40)
    interleaved = truth[np.random.default_rng(0).permutation(100)]
    assert scores.calibration_error(claimed, interleaved) >= 0.3 - 1e-9
    assert sum(count for _, _, count in scores.reliability(claimed, truth)) == 100


def test_skill_against_itself_is_nil_with_no_width() -> None:
    losses = np.random.default_rng(1).random(50)
    same = scores.against("same", losses, losses, np.arange(50), seed=1)
    assert (same.skill, same.skill_low, same.skill_high) == (0, 0, 0)
    half = scores.against("twice", losses, 2 * losses, np.arange(50), seed=1)
    assert half.skill == pytest.approx(0.5)


def test_texts_of_one_group_widen_the_interval() -> None:
    dice = np.random.default_rng(2)
    group = np.repeat(np.arange(20), 10)
    model = np.repeat(dice.random(20), 10)
    rival = np.full(200, 0.6)
    together = scores.against("x", model, rival, group, seed=3)
    apart = scores.against("x", model, rival, np.arange(200), seed=3)
    width = together.skill_high - together.skill_low
    assert width > 1.5 * (apart.skill_high - apart.skill_low)


def test_the_mixture_finds_the_weights_that_made_the_truth() -> None:
    dice = np.random.default_rng(4)
    count = 20_000
    members = [dice.dirichlet([0.5] * 3, size=count) for _ in range(3)]
    chosen = dice.choice(3, p=[0.6, 0.4, 0.0], size=count)
    mixed = np.stack(members)[chosen, np.arange(count)]
    truth = (mixed.cumsum(axis=1) > dice.random((count, 1))).argmax(axis=1)
    weights = scores.mixture_weights(members, truth)
    assert weights == pytest.approx([0.6, 0.4, 0.0], abs=0.03)


def test_sharpness_finds_the_power_that_blunted_the_claims() -> None:
    dice = np.random.default_rng(5)
    honest = dice.dirichlet([0.4, 0.4], size=20_000)
    truth = (dice.random(20_000) > honest[:, 0]).astype(np.int64)
    blunted = scores.sharpened(honest, 0.5)
    assert scores.best_sharpness(blunted, truth) == pytest.approx(2.0, abs=0.1)
    assert scores.sharpened(honest, 1.0) == pytest.approx(honest)
