"""Which of two forecasters is better, in a way that may be looked at every day.

A test that is looked at whenever somebody is curious finds a difference sooner or later, also where
there is none. An e-process does not: it is the capital of a gambler who bets against "the
challenger is no better", and in a fair game it reaches 1/alpha with probability alpha at most, ever
(Ville's inequality; betting after Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
variables by betting").
"""

import math
from dataclasses import dataclass

import numpy as np

from inference.panel import Times
from inference.requests import Floats

_MOST_STAKE = 0.75
"""Of the capital on one round, so that it never reaches 0."""
_FIRST_ROUNDS = 5
"""Rounds from which the scale is learned before anything is staked."""
_CLIP = 3.0
"""A difference beyond so many typical ones counts no more: no single day may decide."""


@dataclass(frozen=True)
class Evidence:
    """What the rounds so far say; each capital starts at 1."""

    better: float
    """Capital of who bets that the challenger is better."""
    worse: float
    """Capital of who bets that it is worse."""
    rounds: int
    mean_difference: float
    """Champion's loss less challenger's, mean over rounds: above 0, the challenger is better."""

    def says(self, alpha: float) -> str | None:
        """Return "better" or "worse" once the capital has reached 1/alpha, else None."""
        if self.better >= 1.0 / alpha and self.better >= self.worse:
            return "better"
        return "worse" if self.worse >= 1.0 / alpha else None


def gather(champion: Floats, challenger: Floats, times: Times, *, horizon_s: float) -> Evidence:
    """Bet along the paired losses of the same cases.

    Cases of one moment are one round: what happens to all instruments on one day is one piece of
    luck. Rounds whose horizons overlap share outcomes, so that of those within one horizon only the
    first is played. The capital reported is the largest so far, which is what Ville bounds.
    Differences are cut off at three typical ones, so that what is tested is the mean of those.

    Args:
        times: `datetime64[s]`, when each forecast was made.
        horizon_s: how long a forecast reaches, seconds.
    """
    differences, moments = _rounds(champion - challenger, times, horizon_s)
    better, worse = _capital(differences), _capital(-differences)
    return Evidence(
        better=better,
        worse=worse,
        rounds=len(moments),
        mean_difference=float(differences.mean()) if len(differences) else math.nan,
    )


def _rounds(differences: Floats, times: Times, horizon_s: float) -> tuple[Floats, Times]:
    moments, where = np.unique(times, return_inverse=True)
    means = np.bincount(where, weights=differences) / np.maximum(np.bincount(where), 1)
    seconds = moments.astype("datetime64[s]").astype(np.int64)
    played: list[int] = []
    for index, second in enumerate(seconds.tolist()):
        if not played or second >= seconds[played[-1]] + horizon_s:
            played.append(index)
    return np.asarray(means[played], dtype=np.float64), moments[played]


def _capital(differences: Floats) -> float:
    """Return the largest capital of a gambler who bets that differences are above 0."""
    log_capital, highest = 0.0, 0.0
    total, squares = 0.0, 1.0
    typical = float(np.abs(differences[:_FIRST_ROUNDS]).mean()) if len(differences) else 0.0
    for rounds, value in enumerate(differences[_FIRST_ROUNDS:].tolist(), start=_FIRST_ROUNDS):
        # All that is staked on is known before the round: scale and stake read the past alone.
        most = _CLIP * typical
        scaled = min(max(value / most, -1.0), 1.0) if most else float(np.sign(value))
        stake = min(max(total / squares, 0.0), _MOST_STAKE)
        log_capital += math.log1p(stake * scaled)
        highest = max(highest, log_capital)
        total += scaled
        squares += scaled * scaled
        seen = min(abs(value), most) if most else abs(value)
        typical += (seen - typical) / (rounds + 1)
    return math.exp(min(highest, 700.0))
