"""How good sampled paths are: the energy score, and facts that real returns are known for."""

import numpy as np

from inference.requests import Floats

_SHIFTS = 8


def energy_score(paths: Floats, outcome: Floats) -> float:
    """Return the energy score of paths (paths, steps) for what happened (steps); smaller is better.

    Mean distance to the outcome less half the mean distance of the paths to each other (Gneiting
    and Raftery 2007): no other forecast than the true distribution has a smaller expectation. The
    paths are independent, so a few shifts stand for all pairs.
    """
    miss = np.linalg.norm(paths - outcome, axis=1).mean()
    count = min(_SHIFTS, len(paths) - 1)
    apart = np.mean(
        [
            np.linalg.norm(paths - np.roll(paths, shift, axis=0), axis=1).mean()
            for shift in range(1, count + 1)
        ]
    )
    return float(miss - 0.5 * apart)


def stylised_facts(returns: Floats) -> dict[str, float]:
    """Return memory of size and weight of tails of returns (series, bars), as means over series."""
    size = np.abs(returns)
    centred = returns - returns.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    return {
        "acf1": float(np.mean([_correlation(one, 1) for one in size])),
        "acf20": float(np.mean([_correlation(one, 20) for one in size])),
        "kurtosis": float(np.mean((centred**4).mean(axis=1) / np.maximum(variance, 1e-30) ** 2)),
    }


def _correlation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float(centred[lag:] @ centred[:-lag] / max(float(centred @ centred), 1e-30))


def log_normal(values: Floats, deviation: Floats) -> Floats:
    """Return the log density of a normal around 0."""
    scaled = values / deviation
    return np.asarray(-0.5 * scaled**2 - np.log(deviation) - 0.5 * np.log(2.0 * np.pi))


def log_student5(values: Floats, deviation: Floats) -> Floats:
    """Return the log density of a Student with 5 degrees of freedom around 0, by its deviation."""
    scale = deviation * np.sqrt(3.0 / 5.0)
    # Gamma(3) / (Gamma(5/2) sqrt(5 pi)) = 2 / (1.329340388 x 3.963327298)
    return np.asarray(
        np.log(2.0 / (1.3293403881791370 * np.sqrt(5.0 * np.pi)))
        - np.log(scale)
        - 3.0 * np.log1p((values / scale) ** 2 / 5.0)
    )


def log_mixture(values: Floats, weights: Floats, means: Floats, deviations: Floats) -> Floats:
    """Return the log density of mixtures of normals, one row each."""
    parts = np.log(np.maximum(weights, 1e-30)) + log_normal(values[:, None] - means, deviations)
    highest = parts.max(axis=1)
    return np.asarray(highest + np.log(np.exp(parts - highest[:, None]).sum(axis=1)))
