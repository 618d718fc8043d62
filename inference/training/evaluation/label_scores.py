"""How good label probabilities are: Brier score, F1, calibration, and skill with its interval.

Pure arithmetic on arrays of shape (cases, classes). Truth is the index of the right class.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.cards import BaselineScore
from inference.requests import Floats
from inference.training.evaluation import losses

Indices = NDArray[np.int64]
_RESAMPLES = 2000
_BINS = 10


def brier(probabilities: Floats, truth: Indices) -> Floats:
    """Return each case's Brier score: the squared distance from certainty, 0 (best) to 2."""
    certain = np.eye(probabilities.shape[1])[truth]
    return np.asarray(((probabilities - certain) ** 2).sum(axis=1))


def log_loss(probabilities: Floats, truth: Indices) -> Floats:
    """Return each case's surprise: minus the logarithm of what the right class was given."""
    given = probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.maximum(given, 1e-12)))


def accuracy(probabilities: Floats, truth: Indices) -> float:
    """Return the share of cases whose likeliest class was right."""
    return float(np.mean(probabilities.argmax(axis=1) == truth))


def precision_recall_f1(probabilities: Floats, truth: Indices) -> tuple[float, float, float]:
    """Return precision, recall and F1, each the plain mean over the classes (macro)."""
    found = probabilities.argmax(axis=1)
    each = []
    for one in range(probabilities.shape[1]):
        right = float(np.sum((found == one) & (truth == one)))
        said, there = float(np.sum(found == one)), float(np.sum(truth == one))
        each.append(
            (
                right / said if said else 0.0,
                right / there if there else 0.0,
                2.0 * right / (said + there) if said + there else 0.0,
            )
        )
    precision, recall, f1 = np.mean(each, axis=0)
    return float(precision), float(recall), float(f1)


def auc(probabilities: Floats, truth: Indices) -> float | None:
    """Return how often a text of a label had a higher probability of it than one of another: the
    plain mean over the labels; None where one of them is missing.
    """
    each = [
        losses.auc((truth == one).astype(np.float64), probabilities[:, one])
        for one in range(probabilities.shape[1])
    ]
    found = [one for one in each if one is not None]
    return float(np.mean(found)) if len(found) == len(each) else None


def reliability(probabilities: Floats, truth: Indices) -> tuple[tuple[float, float, int], ...]:
    """Return ten bins of equal count: mean confidence, share that was right, cases."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    return tuple(
        (float(confidence[some].mean()), float(right[some].mean()), len(some))
        for some in np.array_split(order, min(_BINS, len(order)))
    )


def calibration_error(probabilities: Floats, truth: Indices) -> float:
    """Return the expected calibration error of the likeliest class, over those ten bins."""
    bins = reliability(probabilities, truth)
    total = sum(count for _, _, count in bins)
    return sum(count * abs(said - was) for said, was, count in bins) / total


def abstention(
    probabilities: Floats, truth: Indices, thresholds: Sequence[float]
) -> list[tuple[float, float, float]]:
    """Return (least confidence, share answered, accuracy on those), where any are answered."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    return [
        (least, float(np.mean(sure)), float(np.mean(right[sure])))
        for least in thresholds
        if (sure := confidence >= least).any()
    ]


def against(
    name: str, model: Floats, baseline: Floats, groups: Indices, *, seed: int
) -> BaselineScore:
    """Return the skill of a model's losses over a baseline's on the same cases.

    The interval resamples whole groups, because texts of one story err together.
    """
    sums = np.stack([_by_group(model, groups), _by_group(baseline, groups)])
    dice = np.random.default_rng(seed)
    drawn = dice.integers(0, sums.shape[1], size=(_RESAMPLES, sums.shape[1]))
    ours, theirs = sums[0][drawn].sum(axis=1), sums[1][drawn].sum(axis=1)
    skills = 1.0 - ours / np.maximum(theirs, 1e-12)
    low, high = np.quantile(skills, [0.025, 0.975])
    return BaselineScore(
        name=name,
        loss=float(baseline.mean()),
        skill=float(1.0 - model.sum() / baseline.sum()),
        skill_low=float(low),
        skill_high=float(high),
    )


def _by_group(losses: Floats, groups: Indices) -> Floats:
    return np.asarray(np.bincount(groups, weights=losses), dtype=np.float64)


def mixture_weights(members: Sequence[Floats], truth: Indices, *, rounds: int = 500) -> Floats:
    """Return the weights, of sum 1, whose mixture of the members gives the truth most likelihood.

    Expectation-maximisation: each round can only gain, and there is one best mixture.
    """
    given = np.stack([member[np.arange(len(truth)), truth] for member in members], axis=1)
    given = np.maximum(given, 1e-12)
    weights = np.full(len(members), 1.0 / len(members))
    for _ in range(rounds):
        shares = given * weights
        shares /= shares.sum(axis=1, keepdims=True)
        moved = shares.mean(axis=0)
        if np.abs(moved - weights).max() < 1e-9:
            break
        weights = moved
    return np.asarray(weights)


def sharpened(probabilities: Floats, power: float) -> Floats:
    """Return p^a / (p^a + (1 - p)^a) of each class, scaled to sum 1: Platt's map with b = 0."""
    inside = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    raised = 1.0 / (1.0 + ((1.0 - inside) / inside) ** power)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def best_sharpness(probabilities: Floats, truth: Indices) -> float:
    """Return the power of `sharpened` with the least log loss, on a grid from 0.5 to 3."""
    grid = np.round(np.arange(0.5, 3.01, 0.05), 2)
    found = [log_loss(sharpened(probabilities, power), truth).mean() for power in grid]
    return float(grid[int(np.argmin(found))])
