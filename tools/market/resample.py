"""Bars of a longer timeframe from those of a shorter one. Pure.

Inside a day buckets begin where the session (or its part after lunch) begins, and bars outside a
known session belong to none. Weeks begin on Monday, months on the first. The last bucket may still
be open: `Bars.closed_by` leaves it out until its end has passed, like any other bar.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tools.market.actions import changes_returns
from tools.market.bars import TIMEFRAMES, Bars, Times
from tools.market.calendars import named

_MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240}
_NO_TIME = -(2**62)


def finer_than(timeframe: str) -> tuple[str, ...]:
    """Return what a timeframe can be made of, the longest first.

    Months are not made of weeks, which straddle them.
    """
    order = list(TIMEFRAMES)
    found = reversed(order[: order.index(timeframe)])
    return tuple(one for one in found if one not in ("1w", "1mo") and _fits(one, timeframe))


def resample(bars: Bars, timeframe: str) -> Bars:
    """Return bars of a longer timeframe, adjusted, as no bucket may hold a split or a roll.

    Raises:
        ValueError: it cannot be made of these.
    """
    if bars.timeframe not in finer_than(timeframe):
        raise ValueError(f"{timeframe} bars cannot be made of {bars.timeframe} bars")
    total = bars.total_return_close() if changes_returns(bars.actions) else bars.adjusted_close
    fine = replace(bars.split_adjusted(), adjusted_close=total)
    keys = _buckets(fine, timeframe)
    inside = keys != _NO_TIME
    fine, keys = fine.pick(inside), keys[inside]
    starts = np.flatnonzero(np.diff(keys, prepend=_NO_TIME))
    ends = np.append(starts[1:], len(keys)) - 1
    adjusted = fine.adjusted_close
    if not len(keys):
        return replace(fine, timeframe=timeframe)
    return replace(
        fine,
        timeframe=timeframe,
        timestamps=keys[starts].astype("datetime64[s]"),
        open=fine.open[starts],
        high=np.maximum.reduceat(fine.high, starts),
        low=np.minimum.reduceat(fine.low, starts),
        close=fine.close[ends],
        volume=np.add.reduceat(fine.volume, starts),
        adjusted_close=None if adjusted is None else adjusted[ends],
    )


def _fits(finer: str, timeframe: str) -> bool:
    """Tell whether whole bars of one fill the other."""
    return timeframe not in _MINUTES or _MINUTES[timeframe] % _minutes(finer) == 0


def _minutes(timeframe: str) -> int:
    return int(TIMEFRAMES[timeframe].total_seconds()) // 60


def _buckets(bars: Bars, timeframe: str) -> NDArray[np.int64]:
    """Return when the bucket of each bar begins, in seconds since 1970; `_NO_TIME` for none."""
    days = bars.timestamps.astype("datetime64[D]")
    minutes = (bars.epochs() // 60) % 1440
    begins = np.zeros(len(bars), dtype=np.int64)
    trading = np.ones(len(bars), dtype=bool)
    if bars.timeframe != "1d" and bars.calendar is not None:
        begins, trading = _sessions(bars.calendar, days, minutes)
    if timeframe in _MINUTES:
        step = _MINUTES[timeframe]
        at = days.astype(np.int64) * 1440 + begins + (minutes - begins) // step * step
        starts = at * 60
    elif timeframe == "1d":
        starts = days.astype(np.int64) * 86_400
    elif timeframe == "1w":
        # 1970-01-01 was a Thursday.
        number = days.astype(np.int64)
        starts = (number - (number + 3) % 7) * 86_400
    else:
        firsts: Times = days.astype("datetime64[M]").astype("datetime64[D]")
        starts = firsts.astype(np.int64) * 86_400
    return np.where(trading, starts, _NO_TIME)


def _sessions(
    calendar: str, days: Times, minutes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the minute at which each bar's part of the session begins, and whether it is in one.

    On days that the calendar does not know as sessions buckets begin at midnight, and all count.
    """
    known = named(calendar)
    begins = np.zeros(len(days), dtype=np.int64)
    trading = np.ones(len(days), dtype=bool)
    if not len(known.days):
        return begins, trading
    at = np.minimum(np.searchsorted(known.days, days), len(known.days) - 1)
    session = known.days[at] == days
    inside = np.zeros(len(days), dtype=bool)
    for opens, closes in _parts(calendar):
        here = session & (opens[at] <= minutes) & (minutes < closes[at])
        begins[here] = opens[at][here]
        inside |= here
    return begins, inside | ~session


@cache
def _parts(calendar: str) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    """Return opening and closing minute of the first and the second part of each session."""
    hours = named(calendar).hours
    found = []
    for part in range(max(map(len, hours))):
        pairs = [parts[part] if part < len(parts) else (0, 0) for parts in hours]
        opens, closes = np.array(pairs, dtype=np.int64).T
        found.append((opens, closes))
    return tuple(found)
