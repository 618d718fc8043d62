"""A model's losses beside a baseline's on the same cases, as a card shows them."""

import numpy as np

from inference.cards import BaselineScore
from inference.monitoring.long_run import newey_west
from inference.panel import Times
from inference.requests import Floats
from inference.training.evaluation import diebold_mariano


def baseline_score(
    name: str, model: Floats, baseline: Floats, times: Times, *, horizon: int
) -> BaselineScore:
    """Return the baseline's loss and the model's skill over it, with its 95 % interval."""
    found = diebold_mariano.compare(model, baseline, times, horizon=horizon)
    return BaselineScore(
        name=name,
        loss=float(baseline.mean()),
        skill=found.skill,
        skill_low=found.low,
        skill_high=found.high,
        dm_t=found.t,
    )


def mean_difference(
    model: Floats, baseline: Floats, times: Times, *, horizon: int
) -> tuple[float, float, float]:
    """Return the mean of baseline - model and its 95 % interval (Newey-West, by moment)."""
    sums = diebold_mariano.by_moment(times, baseline - model)
    variance = newey_west(sums, 2 * horizon)
    error = float(np.sqrt(variance * len(sums))) / len(model)
    mean = float((baseline - model).mean())
    reach = diebold_mariano.TWO_SIDED_95 * error
    return mean, mean - reach, mean + reach
