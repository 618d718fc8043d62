"""Is one forecast better than another by more than luck? (Diebold and Mariano 1995.)

Losses of one moment are added up first: what happens to all instruments on one day is one piece of
luck. Sums over time overlap where labels do, so their variance is Newey and West's with a lag of
twice the horizon.
"""

from dataclasses import dataclass

import numpy as np

from inference.monitoring.long_run import newey_west
from inference.panel import Times
from inference.requests import Floats

TWO_SIDED_95 = 1.96


@dataclass(frozen=True)
class Skill:
    """1 - model's loss / baseline's loss, with its 95 % interval."""

    skill: float
    low: float
    high: float
    t: float
    """Diebold-Mariano t of the loss difference: negative, the model is better."""


def by_moment(times: Times, values: Floats) -> Floats:
    """Return the sum of the values of each moment, in order of time."""
    _, where = np.unique(times, return_inverse=True)
    return np.asarray(np.bincount(where, weights=values), dtype=np.float64)


def t_of_mean(sums: Floats, *, horizon: int) -> float:
    """Return the mean over its Newey-West error; 0 where there is no difference at all."""
    mean = float(sums.mean())
    error = float(np.sqrt(newey_west(sums, 2 * horizon) / len(sums)))
    if error == 0.0:
        return 0.0 if mean == 0.0 else float(np.copysign(np.inf, mean))
    return mean / error


def compare(model: Floats, baseline: Floats, times: Times, *, horizon: int) -> Skill:
    """Compare the losses of two forecasts on the same cases.

    The interval of skill is the delta method's: with r = mean(model) / mean(baseline), r varies as
    the mean of (model - r baseline) / mean(baseline) does.
    """
    ratio = float(model.mean() / baseline.mean())
    t = t_of_mean(by_moment(times, model - baseline), horizon=horizon)
    moved = by_moment(times, (model - ratio * baseline) / baseline.mean())
    # A mean over cases is the sum over moments, over the number of cases.
    error = np.sqrt(newey_west(moved, 2 * horizon) * len(moved)) / len(model)
    skill = 1.0 - ratio
    return Skill(
        skill=skill,
        low=skill - TWO_SIDED_95 * float(error),
        high=skill + TWO_SIDED_95 * float(error),
        t=t,
    )
