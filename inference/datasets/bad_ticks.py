"""Find single wrong prices in a series: a jump that the next bar takes back.

A price is suspected when its log return is more than 4 robust deviations of the returns before it
and the next bar's return undoes most of it. That is known one bar later, never earlier. The newest
price is therefore never suspected, and neither is one with too little history.

What it finds is limited: see `docs/datasets.md` for the measured recall and precision.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from inference.requests import Floats

THRESHOLD = 4.0
WINDOW = 60
"""Returns before it from which a bar's deviation is taken."""
_TAKEN_BACK = 0.5
_TO_DEVIATION = 1.4826
_LEAST = 1e-4
"""Log return below which nothing is a jump: prices are rounded."""


def bad_ticks(prices: Floats, *, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """Return which prices are suspected; `prices` of one instrument, oldest first.

    What is said of bar t reads no bar after t + 1.
    """
    suspected = np.zeros(len(prices), dtype=np.bool_)
    if len(prices) < WINDOW + 3:
        return suspected
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.diff(np.log(np.where(prices > 0.0, prices, np.nan)))
    sizes = np.abs(returns)
    # Of the 60 returns before each one, so that a jump does not hide itself.
    windows = sliding_window_view(sizes, WINDOW)[:-2]
    with np.errstate(all="ignore"):
        middle = np.median(np.where(np.isnan(windows), 0.0, windows), axis=1)
    spread = np.maximum(_TO_DEVIATION * middle, _LEAST)
    jump, after = returns[WINDOW:-1], returns[WINDOW + 1 :]
    with np.errstate(invalid="ignore"):
        taken_back = (np.sign(jump) != np.sign(after)) & (
            np.abs(jump + after) <= _TAKEN_BACK * np.abs(jump)
        )
        suspected[WINDOW + 1 : -1] = (np.abs(jump) > threshold * spread) & taken_back
    return suspected
