"""Statistics over the last bars: the value at a bar reads that bar and those before it.

Missing numbers (NaN) are left out. Each window is computed on its own, not by running sums, so that
the same bars give the same bits wherever the history begins.
"""

from bisect import bisect_left, insort

import numpy as np

from inference.requests import Floats


def windows(column: Floats, bars: int) -> Floats:
    """Return the last `bars` numbers at each bar, oldest first, as a view; NaN before the first."""
    padded = np.concatenate([np.full(bars - 1, np.nan), column])
    return np.lib.stride_tricks.sliding_window_view(padded, bars)


def mean(column: Floats, bars: int, *, least: int | None = None) -> Floats:
    """Return the mean of the last `bars`; NaN where fewer than `least` (all) of them are known."""
    found = windows(column, bars)
    known = np.isfinite(found)
    count = known.sum(axis=1)
    total = np.where(known, found, 0.0).sum(axis=1)
    enough = count >= (bars if least is None else least)
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def median_and_spread(column: Floats, bars: int, *, least: int) -> tuple[Floats, Floats]:
    """Return median and median absolute deviation of the last `bars`."""
    found = windows(column, bars)
    middle = _middle(found, least)
    return middle, _middle(np.abs(found - middle[:, None]), least)


def _middle(found: Floats, least: int) -> Floats:
    ordered = np.sort(found, axis=1)  # NaN goes last
    count = np.isfinite(ordered).sum(axis=1)
    last = ordered.shape[1] - 1
    below = np.clip((count - 1) // 2, 0, last)[:, None]
    above = np.clip(count // 2, 0, last)[:, None]
    middle = (
        0.5
        * (np.take_along_axis(ordered, below, axis=1) + np.take_along_axis(ordered, above, axis=1))[
            :, 0
        ]
    )
    return np.where(count >= least, middle, np.nan)


def quantile(column: Floats, share: float, bars: int, *, least: int) -> Floats:
    """Return the quantile of the last `bars` (numpy's linear definition).

    Made for long windows, up to the whole history: a bar costs one insertion into a sorted list.
    """
    out: list[float] = []
    ordered: list[float] = []
    known = 0
    numbers: list[float] = column.tolist()
    for index, number in enumerate(numbers):
        if number == number:
            insort(ordered, number)
            known += 1
        if index >= bars and (gone := numbers[index - bars]) == gone:
            del ordered[bisect_left(ordered, gone)]
            known -= 1
        if known < least:
            out.append(float("nan"))
            continue
        place = share * (known - 1)
        low = int(place)
        left = ordered[low]
        out.append(left + (place - low) * (ordered[low + 1] - left) if low + 1 < known else left)
    return np.array(out, dtype=np.float64)


def lagged(column: Floats, bars: int = 1) -> Floats:
    """Return what the column was `bars` before."""
    return np.concatenate(
        [np.full(min(bars, len(column)), np.nan), column[: max(0, len(column) - bars)]]
    )
