"""Intervals from what a model missed before: quantiles of held-out residuals (split conformal).

A residual is the log of outcome over forecast, or whatever a head adds to its output. Intervals are
judged as they would have been given: each forecast gets the quantiles of residuals that were known
by then.
"""

from collections.abc import Sequence

import numpy as np

from inference.requests import Floats
from inference.training.evaluation.losses import coverage
from inference.training.evaluation.walk_forward import Cases

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
INTERVALS = (0.5, 0.8, 0.9, 0.95)
LEAST = 200
"""Residuals that the first judged interval is made of."""


def conformal_quantiles(residuals: Floats, levels: Sequence[float] = LEVELS) -> Floats:
    """Return the quantiles with the finite-sample correction: an outer level takes the next
    residual outward, so that a new one falls inside at least as often as the level says.
    """
    ordered = np.sort(residuals)
    count = len(ordered)
    ranks = [
        np.floor((count + 1) * level) - 1 if level < 0.5 else np.ceil((count + 1) * level) - 1
        for level in levels
    ]
    return np.asarray(ordered[np.clip(ranks, 0, count - 1).astype(int)], dtype=np.float64)


def walk_forward_coverage(
    cases: Cases, residuals: Floats, *, block_bars: int = 63
) -> tuple[dict[str, float], int]:
    """Return nominal level -> share of later residuals inside, and how many were judged.

    `cases` are those that were forecast, with their outcomes.
    """
    moments = np.unique(cases.times)
    inside: dict[float, list[Floats]] = {level: [] for level in INTERVALS}
    judged = 0
    for start in range(0, len(moments), block_bars):
        stop = moments[min(start + block_bars, len(moments)) - 1]
        known = residuals[cases.released <= moments[start]]
        if len(known) < LEAST:
            continue
        now = residuals[(cases.times >= moments[start]) & (cases.times <= stop)]
        judged += len(now)
        for level in INTERVALS:
            low, high = conformal_quantiles(known, ((1 - level) / 2, (1 + level) / 2))
            inside[level].append(((now >= low) & (now <= high)).astype(np.float64))
    if not judged:
        return {}, 0
    return {
        f"{level:.2f}": float(np.concatenate(parts).mean()) for level, parts in inside.items()
    }, judged


def quantile_coverage(
    outcomes: Floats, quantiles: Floats, levels: Sequence[float]
) -> dict[str, float]:
    """Return nominal level -> coverage of the intervals between opposite quantiles."""
    found = {}
    for index in range(len(levels) // 2):
        level = levels[-1 - index] - levels[index]
        found[f"{level:.2f}"] = coverage(outcomes, quantiles[:, index], quantiles[:, -1 - index])
    return found
