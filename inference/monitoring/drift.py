"""Are the numbers of today drawn from where the model learned? Two answers, on two samples.

PSI says how much a distribution has moved, KS how surely. A large PSI of few rows is noise, and a
tiny KS p-value of many rows is not worth a thought: a change is called large only when both agree.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inference.requests import Floats

BINS = 10
MODERATE, LARGE = 0.10, 0.25
"""Of PSI; the customary bounds of credit scoring (Siddiqi 2006, "Credit Risk Scorecards")."""
SURE = 0.01
LEAST = 30
"""Rows on each side, below which nothing is said."""

Level = Literal["stable", "moderate", "large", "too few"]


@dataclass(frozen=True)
class Drift:
    """How far one column has moved from its reference."""

    psi: float
    """Population stability index, nats: sum of (share - reference share) times their log ratio."""
    ks: float
    """Largest distance between the two distribution functions, 0 to 1."""
    p: float
    """Probability of such a distance if nothing had changed and rows were independent."""
    level: Level
    n_reference: int
    n: int


def drift(reference: Floats, current: Floats, *, overlap: int = 1) -> Drift:
    """Compare a column of today with its reference; NaN is a value of its own in PSI.

    Args:
        overlap: how many neighbouring rows share what they are made of (a 22-bar mean: 22). The
            count of independent rows behind the p-value is divided by it.
    """
    if min(len(reference), len(current)) < LEAST:
        return Drift(math.nan, math.nan, math.nan, "too few", len(reference), len(current))
    moved = psi(reference, current)
    distance, p = kolmogorov_smirnov(_known(reference), _known(current), overlap=overlap)
    level: Level = "stable"
    if moved >= MODERATE and p < SURE:
        level = "large" if moved >= LARGE else "moderate"
    return Drift(moved, distance, p, level, len(reference), len(current))


def psi(reference: Floats, current: Floats, *, bins: int = BINS) -> float:
    """Return the population stability index over bins that hold equal shares of the reference.

    Half a row is added to every bin, so that an empty one says much and not infinitely much.
    """
    known = _known(reference)
    cuts = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts)) if len(known) else known

    def shares(values: Floats) -> Floats:
        missing = np.isnan(values)
        counts = np.bincount(
            np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1
        )
        filled = np.append(counts, missing.sum()) + 0.5
        return np.asarray(filled / filled.sum(), dtype=np.float64)

    expected, found = shares(reference), shares(current)
    return float(((found - expected) * np.log(found / expected)).sum())


def kolmogorov_smirnov(first: Floats, second: Floats, *, overlap: int = 1) -> tuple[float, float]:
    """Return the two-sample distance and its p-value (asymptotic, with Stephens' correction)."""
    if not len(first) or not len(second):
        return (1.0, 0.0) if len(first) != len(second) else (0.0, 1.0)
    grid = np.concatenate([first, second])
    below_first = np.searchsorted(np.sort(first), grid, side="right") / len(first)
    below_second = np.searchsorted(np.sort(second), grid, side="right") / len(second)
    distance = float(np.abs(below_first - below_second).max())
    independent = len(first) * len(second) / (len(first) + len(second)) / max(overlap, 1)
    return distance, kolmogorov_p(distance, independent)


def uniform_distance(values: Floats) -> tuple[float, float]:
    """Return how far values are from uniform on 0 to 1, and the p-value: for PIT.

    The probability integral transform of outcomes is uniform exactly when the forecast
    distributions were right (Dawid 1984; Diebold, Gunther and Tay 1998).
    """
    count = len(values)
    if not count:
        return 0.0, 1.0
    ordered, ranks = np.sort(values), np.arange(1, count + 1)
    distance = float(max((ranks / count - ordered).max(), (ordered - (ranks - 1) / count).max()))
    return distance, kolmogorov_p(distance, count)


def kolmogorov_p(distance: float, count: float) -> float:
    """Return the probability of at least such a distance among `count` independent rows."""
    root = math.sqrt(count)
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0  # the series converges slowly there, and to 1 within 1e-12
    terms = ((-1.0) ** (k - 1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, 101))
    return float(min(max(2.0 * sum(terms), 0.0), 1.0))


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]
