"""Skill of one loss over another, bar by bar in time, with an interval that allows for memory.

Neighbouring bars share their luck: whole blocks of moments are drawn again (circular block
bootstrap), all instruments of a moment together.
"""

import numpy as np

from inference.cards import BaselineScore
from inference.panel import Times
from inference.requests import Floats
from inference.training.comparison import hac_t

BLOCK = 20
_RESAMPLES = 2000


def by_moment(times: Times, losses: Floats) -> Floats:
    """Return the mean loss of all cases of each moment, in the order of time."""
    _, where, counts = np.unique(times, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(where, weights=losses) / counts)


def skill(
    name: str, model: Floats, baseline: Floats, *, seed: int, block: int = BLOCK
) -> BaselineScore:
    """Return the skill of `model` over `baseline`, losses by moment; smaller is better."""
    count = len(model)
    starts = np.random.default_rng(seed).integers(0, count, size=(_RESAMPLES, -(-count // block)))
    ours, theirs = _sums(model, starts, block), _sums(baseline, starts, block)
    low, high = np.quantile(1.0 - ours / theirs, [0.025, 0.975])
    return BaselineScore(
        name=name,
        loss=float(baseline.mean()),
        skill=float(1.0 - model.sum() / baseline.sum()),
        skill_low=float(low),
        skill_high=float(high),
        dm_t=hac_t(model - baseline, lags=block // 2),
    )


def difference_interval(model: Floats, baseline: Floats, *, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of baseline - model."""
    count = len(model)
    starts = np.random.default_rng(seed).integers(0, count, size=(_RESAMPLES, -(-count // BLOCK)))
    means = _sums(baseline - model, starts, BLOCK) / (starts.shape[1] * BLOCK)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _sums(losses: Floats, starts: np.ndarray, block: int) -> Floats:
    """Return, for each row of block starts, the sum over all its blocks (around the end)."""
    around = np.concatenate([losses, losses[:block]])
    total = np.concatenate([[0.0], np.cumsum(around)])
    return np.asarray((total[starts + block] - total[starts]).sum(axis=1))
