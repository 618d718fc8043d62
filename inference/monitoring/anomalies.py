"""Is this answer unlike everything the model has said? Then somebody should look at it."""

import numpy as np

from inference.requests import Floats

LEAST = 50
FAR = 8.0
"""Robust deviations; of normal numbers one in 10^15 lies so far out, of fat-tailed ones few do."""


def is_anomalous(value: float, earlier: Floats) -> bool:
    """Tell whether a number lies far outside what came before it.

    Distances are counted in robust deviations (1.4826 times the median distance from the median),
    of logarithms where all numbers are positive. Of fewer than 50 earlier ones nothing is said.
    """
    known = earlier[np.isfinite(earlier)]
    if not np.isfinite(value):
        return True
    if len(known) < LEAST:
        return False
    if value > 0.0 and (known > 0.0).all():
        value, known = float(np.log(value)), np.log(known)
    middle = float(np.median(known))
    deviation = 1.4826 * float(np.median(np.abs(known - middle)))
    if deviation == 0.0:
        deviation = float(known.std()) or abs(middle) * 1e-9 or 1e-300
    return abs(value - middle) > FAR * deviation
