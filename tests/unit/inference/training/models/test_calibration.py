"""Calibration: what is pooled, that nothing looks ahead, that it is used only where it helps."""

from dataclasses import replace

import numpy as np
import pytest

from inference.bundle import Head
from inference.engine.heads import calibrator, check_head
from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.walk_forward import Cases
from inference.training.models.calibration import (
    METHODS,
    apply,
    calibrate,
    isotonic,
    platt,
    pool_adjacent,
    walk_forward,
)
from inference.training.models.linear_models import sigmoid


def cases_of(happened: Floats, *, horizon: int = 5) -> Cases:
    count = len(happened)
    days = np.arange(count + horizon).astype("datetime64[D]").astype("datetime64[s]")
    return Cases(
        names=(),
        rows=np.empty((count, 0)),
        outcomes=happened,
        times=days[:count],
        released=days[horizon:],
        symbols=np.zeros(count, dtype=np.int64),
        symbol_names=("X",),
        horizon=horizon,
        aside=np.full(count, np.nan),
    )


def events(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Return true probabilities and what happened."""
    dice = np.random.default_rng(seed)
    truth = dice.uniform(0.1, 0.9, count)
    return truth, (dice.random(count) < truth).astype(float)


def odds(probability: Floats) -> Floats:
    return np.asarray(np.log(probability / (1.0 - probability)))


def stepped(truth: Floats) -> Floats:
    """Return a forecast that is bent where no line of log odds can straighten it."""
    return np.where(truth < 0.5, 0.02 + 0.1 * truth, 0.75 + 0.2 * truth)


@pytest.mark.parametrize("seed", range(5))
def test_pooling_gives_what_scikit_learn_gives(seed: int) -> None:
    reference = pytest.importorskip("sklearn.isotonic").IsotonicRegression()
    dice = np.random.default_rng(seed)
    score = np.round(dice.random(400), 2)  # with ties
    happened = (dice.random(400) < score**2).astype(float)
    theirs = reference.fit(score, happened).predict(score)
    ours = apply(isotonic(score, happened), score)
    np.testing.assert_allclose(ours, np.clip(theirs, 1.0 / 402.0, 401.0 / 402.0), atol=1e-12)
    asked = np.linspace(score.min(), score.max(), 999)
    np.testing.assert_allclose(
        apply(isotonic(score, happened), asked),
        np.clip(reference.predict(asked), 1.0 / 402.0, 401.0 / 402.0),
        atol=3e-3,  # they differ where one end of a line was clipped
    )


def test_pooled_numbers_rise_and_keep_their_mean() -> None:
    dice = np.random.default_rng(1)
    values, weights = dice.standard_normal(300), dice.uniform(0.5, 3.0, 300)
    found = pool_adjacent(values, weights)
    assert (np.diff(found) >= 0.0).all()
    assert found @ weights == pytest.approx(values @ weights)
    np.testing.assert_array_equal(pool_adjacent(np.arange(5.0), np.ones(5)), np.arange(5.0))


def test_a_step_never_says_never() -> None:
    found = apply(
        isotonic(np.array([0.1, 0.2, 0.8]), np.array([0.0, 0.0, 1.0])), np.array([0.0, 1.0])
    )
    np.testing.assert_allclose(found, [0.2, 0.8])


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_head_serves_what_the_training_calibrated(name: str) -> None:
    truth, happened = events(2000)
    raw = stepped(truth)
    found = METHODS[name](raw, happened)
    head = Head(kind="classes", classes=("no", "yes"), logits=True, calibration=found)
    check_head(head)
    served = calibrator(head)(np.stack([1.0 - raw, raw], axis=1))
    np.testing.assert_allclose(served[:, 1], apply(found, raw), rtol=0, atol=1e-12)


def test_a_boastful_forecast_is_calibrated_with_what_was_known() -> None:
    truth, happened = events(4000)
    boast = sigmoid(2.5 * odds(truth))
    cases = cases_of(happened)
    later = replace(cases, outcomes=np.where(np.arange(4000) > 2000, 0.0, happened))
    for fit in (platt, isotonic):
        found = walk_forward(cases, boast, fit, block_bars=250)
        assert (found[:500] == boast[:500]).all()
        assert losses.calibration_error(happened[500:], boast[500:]) > 0.08
        assert losses.calibration_error(happened[500:], found[500:]) < 0.04
        # What comes later changes nothing.
        again = walk_forward(later, boast, fit, block_bars=250)
        np.testing.assert_array_equal(again[:2000], found[:2000])


def test_the_choice_of_a_method_looks_no_further_than_the_methods() -> None:
    truth, happened = events(6000, seed=3)
    raw = stepped(truth)
    cases = cases_of(happened)
    found = calibrate(cases, raw, block_bars=250)
    reversed_later = np.where(np.arange(6000) > 3000, 1.0 - happened, happened)
    poisoned = calibrate(replace(cases, outcomes=reversed_later), raw, block_bars=250)
    np.testing.assert_array_equal(found.probability[:3000], poisoned.probability[:3000])
    assert not np.array_equal(found.probability, poisoned.probability)


def test_steps_are_used_where_a_line_does_not_straighten_the_forecast() -> None:
    truth, happened = events(6000, seed=4)
    found = calibrate(cases_of(happened), stepped(truth), block_bars=250)
    assert found.method == "isotonic"
    assert found.head["type"] == "isotonic"
    assert found.tried["Brier score, isotonic"] < found.tried["Brier score, platt"]
    assert "isotonic is used" in found.note


def test_a_line_is_used_where_the_forecast_is_only_too_bold() -> None:
    truth, happened = events(6000, seed=5)
    found = calibrate(cases_of(happened), sigmoid(3.0 * odds(truth)), block_bars=250)
    assert found.method == "platt"
    assert found.head["a"] == pytest.approx(1.0 / 3.0, abs=0.05)
    brier = float(losses.brier(happened, found.probability).mean())
    assert brier < found.tried["Brier score, none"]


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_forecast_is_left_alone(seed: int) -> None:
    truth, happened = events(3000, seed=seed)
    found = calibrate(cases_of(happened), truth, block_bars=250)
    assert found.method == "none"
    assert found.head == {}
    np.testing.assert_array_equal(found.probability, truth)
    assert "none is used" in found.note


def test_luck_alone_is_hardly_a_calibration_error() -> None:
    biased, debiased = [], []
    for seed in range(40):
        truth, happened = events(2000, seed=seed)
        biased.append(losses.calibration_error(happened, truth))
        debiased.append(losses.debiased_calibration_error(happened, truth))
    # Ten bins of 200 honest forecasts are off by 2 to 3 points each, by chance.
    assert np.mean(biased) > 0.02
    assert np.mean(debiased) < 0.5 * np.mean(biased)
    assert np.median(debiased) < 0.01


def test_what_is_more_than_luck_stays_a_calibration_error() -> None:
    truth, happened = events(2000, seed=6)
    shifted = np.clip(truth + 0.1, 0.0, 1.0)
    assert losses.debiased_calibration_error(happened, shifted) == pytest.approx(0.1, abs=0.02)
