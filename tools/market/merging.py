"""How new bars of a series meet those that are stored. Pure, and the same for every store."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tools.market.bars import Bars, Floats
from tools.market.intake import BarsStored


def empty(symbol: str, timeframe: str, source: str) -> Bars:
    """Return a history of no bars."""
    none = np.empty(0)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        timestamps=np.empty(0, dtype="datetime64[s]"),
        open=none,
        high=none,
        low=none,
        close=none,
        volume=none,
        adjusted_close=none,
    )


def differing(
    old: Bars, new: Bars, *, exactly: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which bars of `new` are not in `old` at all, and which are there with other numbers.

    An adjusted close that is not said is no other number, unless `exactly` is asked for.
    """
    at = np.searchsorted(old.timestamps, new.timestamps)
    there = at < len(old)
    there[there] = old.timestamps[at[there]] == new.timestamps[there]
    changed = np.zeros(len(new), dtype=bool)
    for name in ("open", "high", "low", "close", "volume", "adjusted_close"):
        before, after = _column(old, name), _column(new, name)
        was, now = before[at[there]], after[there]
        unlike = (was != now) & ~(np.isnan(was) & np.isnan(now))
        changed[there] |= unlike if exactly else unlike & ~np.isnan(now)
    return ~there, changed


def told(bars: Bars, which: NDArray[np.bool_], *, corrected: bool) -> BarsStored:
    """Return what is told of the bars that were written; at least one was."""
    written = np.flatnonzero(which)
    return BarsStored(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        first=bars.time(int(written[0])),
        last=bars.time(int(written[-1])),
        count=len(written),
        corrected=corrected,
    )


def merge(old: Bars, new: Bars) -> Bars:
    """Return both histories as one, `new` winning where they share a time.

    Where one side has adjusted closes and the other has none, those are NaN.
    """
    kept = ~np.isin(old.timestamps, new.timestamps)
    times = np.concatenate([old.timestamps[kept], new.timestamps])
    order = np.argsort(times)

    def column(name: str) -> Floats:
        joined: Floats = np.concatenate([_column(old, name)[kept], _column(new, name)])[order]
        return joined

    adjusted = column("adjusted_close")
    return replace(
        old,
        source=new.source,
        timestamps=times[order],
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        adjusted_close=None if np.isnan(adjusted).all() else adjusted,
    )


def _column(bars: Bars, name: str) -> Floats:
    values: Floats | None = getattr(bars, name)
    return np.full(len(bars), np.nan) if values is None else values
