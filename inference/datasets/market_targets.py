"""What happened after a bar: the outcomes that market models are trained on and graded by.

These look ahead on purpose, and only these: no feature may read them.
"""

import numpy as np

from inference.datasets import trailing
from inference.panel import Series
from inference.requests import Floats

_BODY = 2.0 * np.log(2.0) - 1.0
FLOOR_SHARE = 0.02
"""A bar's variance counts as at least this share of the median of those of the last 250 bars that
are above zero: a bar that nobody traded has no range, but the risk of holding it was not zero."""
FLOOR_BARS = 250
FLOOR_LEAST = 20
"""With fewer bars above zero there is no floor yet, and no variance either."""
LOWEST = 1e-12
"""Below this (0.0001 % a bar) a variance is rounding, not risk."""
REGIME_SHARE = 0.75
REGIME_BARS = 10_000
"""The percentile that turbulence is measured against is taken over the whole history, at most
so many bars (40 years of days)."""
REGIME_LEAST = 100


def raw_variances(series: Series) -> Floats:
    """Return each bar's Garman-Klass variance plus the squared gap before it, without a floor.

    Garman and Klass (1980): 0.5 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2. NaN for the first bar, which
    has no gap, and where a price is missing or not above zero.
    """
    prices = np.stack([series.open, series.high, series.low, series.close])
    logs = np.log(np.where(prices > 0.0, prices, np.nan))
    opened, high, low, close = logs
    # Rounded prices can put the close a hair outside the range.
    body = np.maximum(0.5 * (high - low) ** 2 - _BODY * (close - opened) ** 2, 0.0)
    return np.asarray(body + (opened - trailing.lagged(close)) ** 2, dtype=np.float64)


def variances(series: Series) -> Floats:
    """Return each bar's variance with its floor; what it reads is known when the bar closes."""
    raw = raw_variances(series)
    positive = np.where(raw > 0.0, raw, np.nan)
    typical = trailing.quantile(positive, 0.5, FLOOR_BARS, least=FLOOR_LEAST)
    floor = np.maximum(FLOOR_SHARE * typical, LOWEST)
    return np.where(np.isnan(raw) | np.isnan(floor), np.nan, np.maximum(raw, floor))


def ahead(column: Floats, horizon: int) -> Floats:
    """Return the mean of the next `horizon` bars of a column, at each bar; NaN where unknown."""
    means = trailing.mean(column, horizon)
    return np.concatenate([means[horizon:], np.full(min(horizon, len(column)), np.nan)])


def variance_ahead(series: Series, horizon: int) -> Floats:
    """Return the mean variance a bar of the next `horizon` bars."""
    return ahead(variances(series), horizon)


def return_ahead(series: Series, horizon: int) -> Floats:
    """Return the log total return over the next `horizon` bars."""
    total = np.log(np.where(series.total > 0.0, series.total, np.nan))
    later = np.concatenate([total[horizon:], np.full(min(horizon, len(total)), np.nan)])
    return np.asarray(later - total, dtype=np.float64)


def regime_threshold(variance: Floats, horizon: int) -> Floats:
    """Return the 75th percentile of all `horizon`-bar mean variances known at each bar."""
    means = trailing.mean(variance, horizon)
    return trailing.quantile(means, REGIME_SHARE, REGIME_BARS, least=REGIME_LEAST)


def turbulence_ahead(series: Series, horizon: int) -> Floats:
    """Return 1 where the mean variance of the next `horizon` bars lies above the threshold known
    now, 0 where not, NaN where one of them is unknown.
    """
    variance = variances(series)
    later, threshold = ahead(variance, horizon), regime_threshold(variance, horizon)
    unknown = np.isnan(later) | np.isnan(threshold)
    return np.where(unknown, np.nan, (later > threshold).astype(np.float64))


def rise_ahead(series: Series, horizon: int) -> Floats:
    """Return 1 where the total return over the next `horizon` bars is above zero, else 0."""
    returns = return_ahead(series, horizon)
    return np.where(np.isnan(returns), np.nan, (returns > 0.0).astype(np.float64))
