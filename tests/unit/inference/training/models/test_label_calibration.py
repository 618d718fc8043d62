"""Labels are calibrated by whichever map did better on texts that it had not seen."""

import numpy as np
import pytest

from inference.bundle import Head
from inference.engine.heads import calibrator
from inference.requests import Floats
from inference.training.evaluation import label_scores
from inference.training.evaluation.label_scores import Indices
from inference.training.models.label_calibration import (
    POWER,
    STEPS,
    apply_labels,
    calibrate_labels,
)

CLASSES = ("positive", "neutral", "negative")


def forecasts(count: int, *, seed: int = 0) -> tuple[Floats, Indices, list[Indices]]:
    """Return honest probabilities, what was right, and three parts of the texts."""
    dice = np.random.default_rng(seed)
    honest = dice.dirichlet((1.0, 1.0, 1.0), count)
    truth = np.array([dice.choice(3, p=one) for one in honest], dtype=np.int64)
    return honest, truth, np.array_split(np.arange(count), 3)


def boastful(honest: Floats) -> Floats:
    return label_scores.sharpened(honest, 2.5)


def bent(honest: Floats) -> Floats:
    """Return forecasts that hedge: mostly a third each, which no power takes back."""
    return np.asarray(0.25 * honest + 0.25)


def test_a_boast_is_taken_back_by_one_power() -> None:
    honest, truth, parts = forecasts(3000)
    found = calibrate_labels(boastful(honest), truth, parts)
    before = label_scores.calibration_error(boastful(honest), truth)
    after = label_scores.calibration_error(apply_labels(found.head, boastful(honest)), truth)
    assert before > 0.08
    assert after < 0.03


def test_steps_are_used_where_no_power_will_do() -> None:
    honest, truth, parts = forecasts(4000, seed=1)
    found = calibrate_labels(bent(honest), truth, parts)
    assert found.method == STEPS
    assert found.tried[f"Brier score, {STEPS}"] < found.tried[f"Brier score, {POWER}"]
    assert found.tried[f"log loss, {STEPS}"] < found.tried[f"log loss, {POWER}"]


@pytest.mark.parametrize("seed", range(3))
def test_with_few_honest_texts_a_power_is_enough(seed: int) -> None:
    honest, truth, parts = forecasts(120, seed=seed)
    assert calibrate_labels(honest, truth, parts).method == POWER


@pytest.mark.parametrize("forecast", [boastful, bent])
def test_the_head_serves_what_was_calibrated(forecast: object) -> None:
    honest, truth, parts = forecasts(2000, seed=2)
    said = forecast(honest)  # type: ignore[operator]
    found = calibrate_labels(said, truth, parts)
    served = calibrator(Head(kind="classes", classes=CLASSES, calibration=found.head))(said)
    served = served / served.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(served, apply_labels(found.head, said), atol=1e-12)
