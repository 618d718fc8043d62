"""How much of an instrument a volatility target asks for, and what is known about that need.

A moving average of squared total returns (weight 0.94 on yesterday's, as in RiskMetrics) says how
volatile the instrument is now; one with 0.99 says how volatile it has been. The value at a bar
reads that bar and those before it.
"""

from collections.abc import Mapping

import numpy as np

from inference.panel import Series
from inference.requests import Floats

FAST, SLOW = 0.94, 0.99
WARM_UP = 250
"""Bars before the first number: the slow average has then forgotten how it began."""
BOUND = 2.0
"""Level and trend are held to -2 .. 2."""


def total_returns(series: Series) -> Floats:
    """Return each bar's simple total return; NaN for the first, 0 where a price is missing."""
    total = np.where(series.total > 0.0, series.total, np.nan)
    returns = np.concatenate([[np.nan], total[1:] / total[:-1] - 1.0])
    returns[1:] = np.nan_to_num(returns[1:], nan=0.0)
    return np.asarray(returns)


def moving_variance(returns: Floats, weight: float) -> Floats:
    """Return the exponentially weighted mean of squared returns, begun with the first 20."""
    squares = np.nan_to_num(returns, nan=0.0) ** 2
    out = np.empty(len(squares))
    state = float(squares[1:21].mean()) if len(squares) > 1 else 0.0
    for index, square in enumerate(squares):
        if index > 20:
            state = weight * state + (1.0 - weight) * float(square)
        out[index] = state if index >= 20 else np.nan
    return out


def needs(
    series: Series, *, target: float, most: float, bars_a_year: float
) -> Mapping[str, Floats]:
    """Return the weight that the target asks for at each bar, with level and trend.

    `weight`  target volatility / volatility now, at most `most`
    `level`   log of volatility now over the target
    `trend`   log of volatility now over what it has been
    """
    returns = total_returns(series)
    fast = np.sqrt(np.maximum(moving_variance(returns, FAST), 1e-12) * bars_a_year)
    slow = np.sqrt(np.maximum(moving_variance(returns, SLOW), 1e-12) * bars_a_year)
    fast[:WARM_UP] = np.nan
    return {
        "weight": np.minimum(target / fast, most),
        "level": np.clip(np.log(fast / target), -BOUND, BOUND),
        "trend": np.clip(np.log(fast / slow), -BOUND, BOUND),
    }
