"""How much the price moved within each bar: the variance that volatility signals speak of.

Garman and Klass's estimate from open, high, low and close, plus the squared gap from the close
before: about eight times less noisy than the squared return, so that five bars say something.
"""

import numpy as np

from tools.analytics import rolling
from tools.analytics.prices import Floats, Prices, log_ratio

BARS = 5
"""Bars that are averaged before anything is compared."""
_BODY = 2.0 * np.log(2.0) - 1.0


def of_bars(prices: Prices) -> Floats:
    """Return each bar's variance, in squared log return; NaN for the first."""
    out = np.full(len(prices), np.nan)
    if len(prices) < 2:
        return out
    span = log_ratio(prices.high, prices.low)
    body = log_ratio(prices.close, prices.open)
    gap = log_ratio(prices.open[1:], prices.close[:-1])
    inside = 0.5 * span**2 - _BODY * body**2
    out[1:] = np.maximum(inside[1:], 0.0) + gap**2
    return out


def of_weeks(prices: Prices) -> Floats:
    """Return the mean variance of the 5 bars ending at each bar."""
    return rolling.mean(of_bars(prices), BARS)
