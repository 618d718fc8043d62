"""Statistics of the window that ends at each bar.

Each value depends on its window alone, so that a history cut at the front or at the back gives the
same values wherever the whole window is there. NaN where it is not.
"""

from bisect import bisect_left, insort

import numpy as np
from numpy.typing import NDArray

from tools.analytics.prices import Floats


def windows(values: Floats, bars: int) -> Floats | None:
    """Return every window of `bars` values as rows, None when there is none."""
    if len(values) < bars:
        return None
    view: Floats = np.lib.stride_tricks.sliding_window_view(values, bars)
    return view


def highest(values: Floats, bars: int) -> Floats:
    """Return the greatest of the `bars` values ending at each bar."""
    rows = windows(values, bars)
    return _filled(len(values), bars, None if rows is None else rows.max(axis=1))


def lowest(values: Floats, bars: int) -> Floats:
    """Return the least of the `bars` values ending at each bar."""
    rows = windows(values, bars)
    return _filled(len(values), bars, None if rows is None else rows.min(axis=1))


def mean(values: Floats, bars: int) -> Floats:
    """Return the mean of the `bars` values ending at each bar."""
    rows = windows(values, bars)
    return _filled(len(values), bars, None if rows is None else rows.mean(axis=1))


def median_and_mad(values: Floats, bars: int) -> tuple[Floats, Floats]:
    """Return each window's median, and the median absolute deviation from it."""
    rows = windows(values, bars)
    if rows is None:
        return _filled(len(values), bars, None), _filled(len(values), bars, None)
    middle = _medians(rows)
    spread = _medians(np.abs(rows - middle[:, None]))
    return _filled(len(values), bars, middle), _filled(len(values), bars, spread)


def quantile(values: Floats, bars: int, share: float, *, least: int) -> Floats:
    """Return the quantile of the last `bars` values known at each bar (linear, as numpy's).

    NaN among the values is left out; NaN is returned while fewer than `least` are there.
    """
    out = np.full(len(values), np.nan)
    ordered: list[float] = []
    listed = values.tolist()
    for index, value in enumerate(listed):
        if value == value:
            insort(ordered, value)
        if index >= bars and (gone := listed[index - bars]) == gone:
            del ordered[bisect_left(ordered, gone)]
        count = len(ordered)
        if count >= least:
            place = share * (count - 1)
            below = int(place)
            low = ordered[below]
            high = ordered[min(below + 1, count - 1)]
            out[index] = low + (place - below) * (high - low)
    return out


def lagged(values: Floats, bars: int = 1) -> Floats:
    """Return the values so many bars later: what was known before the bar."""
    out = np.full(len(values), np.nan)
    if bars < len(values):
        out[bars:] = values[:-bars]
    return out


def crosses(values: Floats, level: float, *, inclusive: bool = False) -> NDArray[np.bool_]:
    """Return where `values` come from at or below `level` to above it (NaN never crosses).

    `inclusive`: from below it to at or above it.
    """
    out = np.zeros(len(values), dtype=bool)
    if inclusive:
        out[1:] = (values[1:] >= level) & (values[:-1] < level)
    else:
        out[1:] = (values[1:] > level) & (values[:-1] <= level)
    return out


def _medians(rows: Floats) -> Floats:
    count = rows.shape[1]
    low, high = (count - 1) // 2, count // 2
    parted = np.partition(rows, (low, high), axis=1)
    middle: Floats = (parted[:, low] + parted[:, high]) / 2.0
    # A NaN sorts last and would hide: a window with one has no median.
    middle[np.isnan(rows).any(axis=1)] = np.nan
    return middle


def _filled(count: int, bars: int, tail: Floats | None) -> Floats:
    out = np.full(count, np.nan)
    if tail is not None:
        out[bars - 1 :] = tail
    return out
