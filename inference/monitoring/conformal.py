"""Intervals that keep their promise: nominal coverage corrected by how earlier ones did.

Adaptive conformal inference (Gibbs and Candès, 2021): after a miss the next interval aims at a
higher level, after a hit at a slightly lower one, so that the long-run coverage is the nominal one
whatever the model gets wrong. Pure: past intervals and outcomes in, a correction out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.requests import Floats

LEAST = 50
"""With fewer settled intervals nothing is corrected: a quantile of so few says nothing."""
WINDOW = 500
"""Only so many of the newest count, so that a change of regime is forgotten in time."""
STEP = 0.02
"""How far one miss moves the level that is aimed at."""


@dataclass(frozen=True)
class Past:
    """An interval as the model gave it, and what happened."""

    low: float
    high: float
    outcome: float


@dataclass(frozen=True)
class Correction:
    """What rolling conformal inference says about the next interval."""

    widen: float
    """By how many of its own widths each end is moved outward; negative: inward."""
    level: float
    """The level that is aimed at now."""
    n: int
    """How many past intervals it stands on; 0: nothing is corrected."""
    coverage: float | None
    """Share of outcomes inside the intervals corrected the same way, each with what was known."""


def score(past: Past, *, positive: bool) -> float:
    """Return how far outside its interval an outcome fell, in widths; inside it is negative.

    `positive` quantities (a variance) are measured by their logarithm.
    """
    low, high, outcome = past.low, past.high, past.outcome
    if positive:
        low, high, outcome = (math.log(max(x, 1e-300)) for x in (low, high, outcome))
    width = high - low
    if width <= 0:
        return 0.0 if low <= outcome <= high else math.inf
    return max(low - outcome, outcome - high) / width


def correct(
    past: Sequence[Past],
    *,
    nominal: float,
    positive: bool,
    step: float = STEP,
    window: int = WINDOW,
    least: int = LEAST,
) -> Correction:
    """Return the correction after these past intervals, the oldest first.

    Raises:
        ValueError: `nominal` is no share between 0 and 1.
    """
    if not 0.0 < nominal < 1.0:
        raise ValueError(f"a nominal coverage lies between 0 and 1; it is {nominal}")
    scores = np.array([score(one, positive=positive) for one in past[-window:]])
    if len(scores) < least:
        return Correction(0.0, nominal, 0, None)
    aimed, inside = 1.0 - nominal, []
    for index in range(least, len(scores)):
        reach = _quantile(scores[:index], 1.0 - aimed)
        missed = bool(scores[index] > reach)
        inside.append(not missed)
        aimed += step * ((1.0 - nominal) - missed)
    # Past 1 everything is covered, and past 0 nothing: what is shown stays an interval.
    level = min(max(1.0 - aimed, 0.01), 0.999)
    widen = _quantile(scores, level)
    # An interval never shrinks to less than a fifth of what the model said, nor grows past five.
    return Correction(
        min(max(widen, -0.4), 5.0),
        level,
        len(scores),
        float(np.mean(inside)) if inside else None,
    )


def apply(
    low: float, high: float, correction: Correction, *, positive: bool
) -> tuple[float, float]:
    """Return the interval moved by a correction."""
    if correction.widen == 0.0:
        return low, high
    if positive:
        bottom, top = math.log(max(low, 1e-300)), math.log(max(high, 1e-300))
        by = correction.widen * (top - bottom)
        return math.exp(bottom - by), math.exp(top + by)
    by = correction.widen * (high - low)
    return low - by, high + by


def _quantile(scores: Floats, level: float) -> float:
    """Return the conformal quantile: of n scores the ceil((n + 1) level)-th."""
    if level >= 1.0:
        return float(scores.max())
    if level <= 0.0:
        return float(scores.min())
    rank = min(len(scores), math.ceil((len(scores) + 1) * level))
    return float(np.sort(scores)[rank - 1])
