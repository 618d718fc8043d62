"""How a model does now that it is used: skill against its baseline over time, and whether it fades.

Everything is computed from settled predictions: the loss of each, and the loss that the baseline
stored beside it had on the same case.
"""

import math
from dataclasses import dataclass

import numpy as np

from inference.monitoring.drift import uniform_distance
from inference.monitoring.long_run import newey_west
from inference.panel import Times
from inference.requests import Floats

FADED = 8.0
_SLACK = 0.5
"""A CUSUM with slack 0.5 and decision 8, in deviations, cries wolf once in about 19,000 rounds and
sees a shift of one deviation after about 16 (Siegmund's approximation, 1985)."""
LEAST = 30
_Z = 1.96


@dataclass(frozen=True)
class LiveSkill:
    """Skill over a span of settled predictions."""

    n: int
    moments: int
    skill: float
    """1 - model's loss / baseline's loss."""
    low: float
    high: float
    """95 %, errors clustered by moment and summed over overlapping horizons."""

    @property
    def is_lost(self) -> bool:
        """Whether the model is worse than its baseline beyond doubt: a reason to retire it."""
        return self.moments >= LEAST and self.high < 0.0


def live_skill(
    losses: Floats, baseline: Floats, times: Times, *, horizon_moments: int
) -> LiveSkill:
    """Return the skill over all given cases.

    Args:
        horizon_moments: how many forecasts in a row share part of their outcome.
    """
    if not len(losses) or not baseline.mean() > 0.0:
        return LiveSkill(len(losses), 0, math.nan, math.nan, math.nan)
    ratio = float(losses.mean() / baseline.mean())
    moments, where = np.unique(times, return_inverse=True)
    weights = (losses - ratio * baseline) / baseline.mean()
    moved = np.asarray(np.bincount(where, weights=weights), dtype=np.float64)
    error = math.sqrt(newey_west(moved, 2 * horizon_moments) * len(moved)) / len(losses)
    skill = 1.0 - ratio
    return LiveSkill(len(losses), len(moments), skill, skill - _Z * error, skill + _Z * error)


@dataclass(frozen=True)
class Fading:
    """A CUSUM over rounds of (model's loss - baseline's loss), in their own early deviations."""

    level: float
    """How far it has climbed; at 8 or more skill is called faded."""
    since: int | None
    """Round at which the climb began that has crossed the bound; None while none has."""


def fading(differences: Floats, *, reference: int) -> Fading:
    """Tell whether losses have climbed against the first `reference` rounds."""
    if reference < LEAST or len(differences) <= reference:
        return Fading(0.0, None)
    early = differences[:reference]
    deviation = float(early.std()) or 1.0
    level, began = 0.0, reference
    for index, value in enumerate(differences[reference:].tolist(), start=reference):
        step = (value - float(early.mean())) / deviation - _SLACK
        if level + step <= 0.0:
            level, began = 0.0, index + 1
            continue
        level += step
        if level >= FADED:
            return Fading(level, began)
    return Fading(level, None)


@dataclass(frozen=True)
class LiveCalibration:
    """Whether stated uncertainty held."""

    n: int
    coverage: float
    """Share of outcomes inside the interval."""
    low: float
    high: float
    """Wilson's 95 % interval of it."""
    pit_distance: float
    pit_p: float
    """Uniformity of the probability integral transform; NaN where no distribution was given."""


def live_calibration(inside: Floats, pit: Floats) -> LiveCalibration:
    """Judge intervals by how often they held, and distributions by their PIT.

    Args:
        inside: 1 where the outcome lay inside the interval, 0 where not.
        pit: the probability integral transform of each outcome; NaN where there was none.
    """
    count = len(inside)
    share = float(inside.mean()) if count else math.nan
    low, high = wilson(float(inside.sum()), count)
    known = pit[~np.isnan(pit)]
    distance, p = uniform_distance(known) if len(known) else (math.nan, math.nan)
    return LiveCalibration(count, share, low, high, distance, p)


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate."""
    if not count:
        return 0.0, 1.0
    rate, square = hits / count, _Z * _Z
    middle = (rate + square / (2 * count)) / (1 + square / count)
    half = _Z * math.sqrt(rate * (1 - rate) / count + square / (4 * count * count))
    half /= 1 + square / count
    return max(0.0, middle - half), min(1.0, middle + half)
