"""How much the price moves: realised volatility of daily log returns, and whether that is usual."""

from dataclasses import dataclass

import numpy as np

from tools.analytics.prices import YEAR, Floats, log_returns, percentile_rank


@dataclass(frozen=True)
class Volatility:
    """Over one window of bars; percents, not fractions."""

    bars: int
    daily: float
    """Root mean square of the log returns of the bars (no mean taken off), %."""
    annualised: float
    """`daily` times the root of the bars a year has (252 daily ones), %."""
    percentile: float | None
    """Share of earlier bars that were calmer, %; None when there are none to compare with."""
    ranked: int
    """How many earlier bars that is."""


def rolling(total: Floats, bars: int) -> Floats:
    """Return the daily volatility (a fraction) over the `bars` returns ending at each bar."""
    returns = log_returns(total)
    out = np.full(len(total), np.nan)
    if len(total) > bars:
        windows = np.lib.stride_tricks.sliding_window_view(returns[1:] ** 2, bars)
        out[bars:] = np.sqrt(windows.mean(axis=1))
    return out


def measure(total: Floats, bars: int, *, a_year: float = YEAR) -> Volatility | None:
    """Return the volatility of the last `bars` returns, ranked against the whole own history.

    `a_year` is how many bars a year has.
    """
    series = rolling(total, bars)
    if not len(series) or np.isnan(series[-1]):
        return None
    ranked = percentile_rank(series[:-1], float(series[-1]))
    return Volatility(
        bars=bars,
        daily=100.0 * float(series[-1]),
        annualised=100.0 * float(series[-1]) * float(np.sqrt(a_year)),
        percentile=None if ranked is None else ranked[0],
        ranked=0 if ranked is None else ranked[1],
    )


def spread(total: Floats, bars: int, *, history: int = 5 * YEAR) -> tuple[float, float] | None:
    """Return the 5th and 95th percentile of daily volatility (%) over the last `history` bars."""
    series = rolling(total, bars)[-history:]
    known = series[~np.isnan(series)]
    if not len(known):
        return None
    low, high = np.percentile(known, [5, 95])
    return 100.0 * float(low), 100.0 * float(high)
