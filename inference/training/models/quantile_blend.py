"""Mix two forecasts of the same quantiles, with a weight from forecasts that neither had seen.

A convex mean of quantiles that rise rises too. The weight at a moment is the one that would have
been best on the forecasts whose outcome was known by then; there is one number to fit, so that
little is needed and little can be fitted wrongly.
"""

from dataclasses import dataclass

import numpy as np
from safetensors.numpy import save

from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.walk_forward import Cases
from inference.training.models.linear_models import Linear

LEAST = 500
"""Forecasts with known outcomes that a weight is fitted on; with fewer it is one half."""
EVEN = 0.5
_GRID = np.round(np.linspace(0.0, 1.0, 21), 2)


def mixed(first: Floats, second: Floats, weight: float) -> Floats:
    """Return the mean of two forecasts, the first with `weight`."""
    return weight * first + (1.0 - weight) * second


def best_weight(
    outcomes: Floats, first: Floats, second: Floats, levels: tuple[float, ...]
) -> float:
    """Return the weight of the first with the least pinball loss, in steps of 0.05."""
    if len(outcomes) < LEAST:
        return EVEN
    found = [
        losses.pinball(outcomes, mixed(first, second, weight), levels).mean()
        for weight in _GRID.tolist()
    ]
    return float(_GRID[int(np.argmin(found))])


@dataclass(frozen=True, eq=False)
class Blend:
    """Forecasts mixed as they would have been, and the weight from now on."""

    quantiles: Floats
    weight: float
    """Of the first."""


def blend(
    cases: Cases, first: Floats, second: Floats, levels: tuple[float, ...], *, block_bars: int
) -> Blend:
    """Mix two forecasts block by block.

    `cases` are those that were forecast, with their outcomes.
    """
    moments = np.unique(cases.times)
    out = np.empty_like(first)
    for start in range(0, len(moments), block_bars):
        known = cases.released <= moments[start]
        weight = best_weight(cases.outcomes[known], first[known], second[known], levels)
        now = cases.times >= moments[start]
        out[now] = mixed(first[now], second[now], weight)
    return Blend(out, best_weight(cases.outcomes, first, second, levels))


def scaled_member_bytes(
    scale: Linear, scores: Floats, *, means: Floats, deviations: Floats
) -> bytes:
    """Return the weights of `scaled_quantiles`: a log variance of standardised columns, and the
    scores that its root is multiplied with.
    """
    packed: bytes = save(
        {
            "weight": np.ascontiguousarray((scale.weight * deviations)[None, :]),
            "bias": np.array([scale.bias + float(scale.weight @ means)]),
            "scores": np.ascontiguousarray(scores),
        }
    )
    return packed
