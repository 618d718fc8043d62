"""Linear models with a closed or convex fit, with numpy alone: variance by ridge, events by logit.

Columns are standardised inside and the weights given back in the columns' own units. The penalty is
on standardised weights, never on the level.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from inference.requests import Floats

CAP = 30.0
"""A variance above 30 times the first fit counts as 30 times in the second: a split that nobody
told of must not move the weights. Evaluation caps nothing."""
_ROUNDS = 100
_SOFTMAX_ROUNDS = 400
_Loss = Callable[[Floats], float]


@dataclass(frozen=True, eq=False)
class Linear:
    """y = weight x + bias."""

    weight: Floats
    bias: float
    means: Floats
    """Of the columns in training: contributions are told against them."""

    def __call__(self, rows: Floats) -> Floats:
        return np.asarray(rows @ self.weight + self.bias, dtype=np.float64)

    def to_bytes(self, **more: Floats) -> bytes:
        """Return the weights as safetensors, as the architecture `linear` wants them."""
        packed: bytes = save(
            {
                "weight": np.ascontiguousarray(self.weight[None, :]),
                "bias": np.array([self.bias]),
                "input_mean": np.ascontiguousarray(self.means),
                **more,
            }
        )
        return packed


def _standard(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Return standardised rows with a column of ones, the means and the deviations."""
    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    deviations = np.where(deviations > 1e-12 * np.maximum(1.0, np.abs(means)), deviations, 1.0)
    return np.hstack([(rows - means) / deviations, np.ones((len(rows), 1))]), means, deviations


def _unstandard(weights: Floats, means: Floats, deviations: Floats) -> Linear:
    own = weights[:-1] / deviations
    return Linear(own, float(weights[-1] - own @ means), means)


def _solve(matrix: Floats, vector: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, vector), dtype=np.float64)


def _penalty(columns: int, ridge: float) -> Floats:
    return np.diag(np.append(np.full(columns, ridge), 0.0))


def _smearing(residuals: Floats) -> float:
    """Return the mean of exp(residual): what makes the mean right after a fit of logarithms.

    None counts as more than 30 times the typical one, so that one bad print moves no level.
    """
    ratios = np.exp(residuals)
    return float(np.minimum(ratios, CAP * np.median(ratios)).mean())


def fit_log_variance(rows: Floats, variance: Floats, *, ridge: float = 0.0) -> Linear:
    """Fit log variance by least squares, and its level so that the mean ratio is 1 (smearing)."""
    design, means, deviations = _standard(rows)
    logs = np.log(variance)
    weights = _solve(design.T @ design + _penalty(rows.shape[1], ridge + 1e-9), design.T @ logs)
    weights[-1] += np.log(_smearing(logs - design @ weights))
    return _unstandard(weights, means, deviations)


def fit_variance(rows: Floats, variance: Floats, *, ridge: float) -> Linear:
    """Fit the log of the mean variance by ridge under the loss it is judged by (QLIKE).

    That loss is the deviance of a gamma model with log link; it is convex in the weights, and
    Newton's steps from the least-squares fit find its only minimum. The bias needs no smearing.
    """
    design, means, deviations = _standard(rows)
    penalty = _penalty(rows.shape[1], ridge)
    logs = np.log(variance)
    weights = _solve(design.T @ design + penalty + 1e-9 * np.eye(len(penalty)), design.T @ logs)
    weights[-1] += np.log(_smearing(logs - design @ weights))
    capped = np.minimum(variance, CAP * np.exp(design @ weights))

    def loss(at: Floats) -> float:
        linear = design @ at
        return float(np.sum(capped * np.exp(-linear) + linear) + 0.5 * at @ penalty @ at)

    value = loss(weights)
    for _ in range(_ROUNDS):
        ratio = capped * np.exp(-(design @ weights))
        slope = design.T @ (1.0 - ratio) + penalty @ weights
        curve = (design * ratio[:, None]).T @ design + penalty
        weights, better = _step(loss, weights, value, slope, curve)
        done = value - better <= 1e-9 * len(variance)
        value = better
        if done:
            break
    return _unstandard(weights, means, deviations)


def fit_logit(rows: Floats, happened: Floats, *, ridge: float) -> Linear:
    """Fit the log odds of an event by ridge logistic regression."""
    design, means, deviations = _standard(rows)
    penalty = _penalty(rows.shape[1], ridge)

    def loss(at: Floats) -> float:
        odds = design @ at
        return float(np.sum(np.logaddexp(0.0, odds) - happened * odds) + 0.5 * at @ penalty @ at)

    # A smoothed rate, so that an event that always or never happened has finite odds.
    rate = (happened.sum() + 0.5) / (len(happened) + 1.0)
    weights = np.zeros(design.shape[1])
    weights[-1] = np.log(rate / (1.0 - rate))
    if happened.min() == happened.max():
        return _unstandard(weights, means, deviations)
    value = loss(weights)
    for _ in range(_ROUNDS):
        chance = sigmoid(design @ weights)
        slope = design.T @ (chance - happened) + penalty @ weights
        curve = (design * (chance * (1.0 - chance))[:, None]).T @ design + penalty
        weights, better = _step(loss, weights, value, slope, curve)
        done = value - better <= 1e-10 * len(happened)
        value = better
        if done:
            break
    return _unstandard(weights, means, deviations)


def fit_mean(rows: Floats, outcomes: Floats, *, ridge: float) -> Linear:
    """Fit the mean of a quantity by ridge: least squares with a penalty."""
    design, means, deviations = _standard(rows)
    matrix = design.T @ design + _penalty(rows.shape[1], ridge) + 1e-9 * np.eye(design.shape[1])
    return _unstandard(_solve(matrix, design.T @ outcomes), means, deviations)


@dataclass(frozen=True, eq=False)
class Softmax:
    """Log odds of several classes: y = weight x + bias, one row of weights a class."""

    weight: Floats
    bias: Floats
    means: Floats

    def __call__(self, rows: Floats) -> Floats:
        return np.asarray(rows @ self.weight.T + self.bias, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the weights as safetensors, as the architecture `linear` wants them."""
        packed: bytes = save(
            {
                "weight": np.ascontiguousarray(self.weight),
                "bias": np.ascontiguousarray(self.bias),
                "input_mean": np.ascontiguousarray(self.means),
            }
        )
        return packed


def fit_softmax(rows: Floats, labels: NDArray[np.int64], classes: int, *, ridge: float) -> Softmax:
    """Fit the log odds of classes by ridge multinomial regression.

    Each step solves the same bound of the curvature (Böhning 1992), so that each makes the loss
    smaller and one factorisation does for all.
    """
    design, means, deviations = _standard(rows)
    happened = np.eye(classes)[labels]
    rates = (happened.sum(axis=0) + 0.5) / (len(labels) + 0.5 * classes)
    weights = np.zeros((design.shape[1], classes))
    weights[-1] = np.log(rates)
    penalty = _penalty(rows.shape[1], ridge)
    inverse = np.linalg.inv(0.5 * design.T @ design + penalty + 1e-9 * np.eye(len(penalty)))
    for _ in range(_SOFTMAX_ROUNDS):
        slope = design.T @ (softmax(design @ weights) - happened) + penalty @ weights
        move = inverse @ slope
        weights -= move
        if np.abs(move).max() < 1e-6:
            break
    own = weights[:-1] / deviations[:, None]
    return Softmax(own.T, weights[-1] - means @ own, means)


def softmax(odds: Floats) -> Floats:
    """Return the probabilities of log odds, row by row."""
    raised = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def _step(
    loss: _Loss, weights: Floats, value: float, slope: Floats, curve: Floats
) -> tuple[Floats, float]:
    """Return a Newton step that is as long as it makes the loss smaller, and the loss there."""
    move = -_solve(curve + 1e-9 * np.eye(len(curve)), slope)
    length = 1.0
    while length > 1e-8:
        there = weights + length * move
        with np.errstate(over="ignore"):
            found = loss(there)
        if found <= value + 1e-4 * length * float(slope @ move):
            return there, found
        length *= 0.5
    return weights, value


def sigmoid(odds: Floats) -> Floats:
    """Return the probability of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0))), dtype=np.float64)


def fit_platt(probability: Floats, happened: Floats) -> tuple[float, float]:
    """Return a and b of sigmoid(a logit(p) + b) that fit what happened best."""
    inside = np.clip(probability, 1e-6, 1.0 - 1e-6)
    found = fit_logit(np.log(inside / (1.0 - inside))[:, None], happened, ridge=1e-6)
    return float(found.weight[0]), found.bias
