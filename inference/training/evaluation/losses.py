"""Losses of forecasts, case by case, and what probabilities and intervals are judged by.

Smaller is better throughout. Every loss here is proper: telling the truth minimises it.
"""

import numpy as np

from inference.requests import Floats

_INSIDE = 1e-12


def qlike(outcome: Floats, forecast: Floats) -> Floats:
    """Return y/f - ln(y/f) - 1 of variances: 0 is perfect; scale does not matter.

    Its order of models is the right one though the outcome is only an estimate of the variance
    (Patton 2011).
    """
    ratio = outcome / forecast
    return np.asarray(ratio - np.log(ratio) - 1.0, dtype=np.float64)


def pinball(outcome: Floats, quantiles: Floats, levels: tuple[float, ...]) -> Floats:
    """Return the mean pinball loss over the levels; `quantiles` has shape (cases, levels)."""
    miss = outcome[:, None] - quantiles
    share = np.array(levels)
    return np.asarray(np.maximum(share * miss, (share - 1.0) * miss).mean(axis=1), dtype=np.float64)


def brier(happened: Floats, probability: Floats) -> Floats:
    """Return the squared error of the probability of an event (0 or 1)."""
    return np.asarray((probability - happened) ** 2, dtype=np.float64)


def log_loss(happened: Floats, probability: Floats) -> Floats:
    """Return minus the log of the probability that was given to what happened."""
    inside = np.clip(probability, _INSIDE, 1.0 - _INSIDE)
    return -np.asarray(
        happened * np.log(inside) + (1.0 - happened) * np.log(1.0 - inside), dtype=np.float64
    )


def auc(happened: Floats, score: Floats) -> float | None:
    """Return how often an event had a higher score than a non-event; None without both."""
    events = int(happened.sum())
    others = len(happened) - events
    if not events or not others:
        return None
    _, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[where]  # ties share their mean rank
    return float((ranks[happened == 1.0].sum() - events * (events + 1) / 2.0) / (events * others))


def coverage(outcome: Floats, low: Floats, high: Floats) -> float:
    """Return the share of outcomes inside their intervals."""
    return float(np.mean((outcome >= low) & (outcome <= high)))


def reliability(
    happened: Floats, probability: Floats, *, bins: int = 10
) -> tuple[tuple[float, float, int], ...]:
    """Return mean forecast, observed rate and cases of equal-count bins, by rising forecast."""
    groups = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(probability)))
    return tuple(
        (float(probability[rows].mean()), float(happened[rows].mean()), len(rows))
        for rows in groups
        if len(rows)
    )


def calibration_error(happened: Floats, probability: Floats, *, bins: int = 10) -> float:
    """Return the mean gap between forecast and observed rate over equal-count bins (ECE)."""
    found = reliability(happened, probability, bins=bins)
    gaps = sum(abs(told - seen) * cases for told, seen, cases in found)
    return float(gaps) / len(probability)


def debiased_calibration_error(happened: Floats, probability: Floats, *, bins: int = 10) -> float:
    """Return the calibration error less what luck alone makes of it: 0 where it may all be luck.

    A bin of n cases is off by chance by a variance of rate (1 - rate) / (n - 1). The squared gaps
    without it, over the squared gaps (Kumar, Liang and Ma 2019), say which share of the error is
    no luck; the error is scaled by the root of that. Cases of one day are counted as if each had
    its own luck, so that it still errs upward.
    """
    found = [one for one in reliability(happened, probability, bins=bins) if one[2] > 1]
    squares = sum(cases * (told - seen) ** 2 for told, seen, cases in found)
    luck = sum(cases * seen * (1.0 - seen) / (cases - 1) for _, seen, cases in found)
    if squares <= luck:
        return 0.0
    share = float(np.sqrt(1.0 - luck / squares))
    return share * calibration_error(happened, probability, bins=bins)
