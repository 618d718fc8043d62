"""What a price history is: one instrument, one timeframe, columns of numbers.

A `Bars` is a value. Slicing gives another one, so the moment after which nothing may be read is
cut off once, at the door, and whatever computes behind it cannot look ahead.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

TIMEFRAMES: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
"""Name -> how long one bar is open. A bar's timestamp is its opening, UTC."""

SMALLEST_SPLIT = 1.19
"""A step of the adjustment factor below this is a dividend, however special (MSFT 2004: 1.11)."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Closed bars, oldest first, each time once."""

    symbol: str
    timeframe: str
    source: str
    timestamps: Times
    """`datetime64[s]`, UTC, strictly rising."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adjusted_close: Floats | None = None
    """Close times the factors of later splits and dividends: only its ratios mean something."""

    def __post_init__(self) -> None:
        columns = [self.open, self.high, self.low, self.close, self.volume]
        if self.adjusted_close is not None:
            columns.append(self.adjusted_close)
        if self.timeframe not in TIMEFRAMES:
            raise ValueError(f"timeframe {self.timeframe!r} is none of {', '.join(TIMEFRAMES)}")
        if any(len(column) != len(self.timestamps) for column in columns):
            raise ValueError(f"the columns of {self.symbol} differ in length")
        if not (np.diff(self.timestamps) > np.timedelta64(0, "s")).all():
            raise ValueError(f"the bars of {self.symbol} are not in rising order of time")

    def __len__(self) -> int:
        return len(self.timestamps)

    def slice(self, start: int, stop: int | None = None) -> "Bars":
        """Return the bars at positions `start` up to, not including, `stop`."""
        cut = np.s_[start:stop]
        adjusted = self.adjusted_close
        return replace(
            self,
            timestamps=self.timestamps[cut],
            open=self.open[cut],
            high=self.high[cut],
            low=self.low[cut],
            close=self.close[cut],
            volume=self.volume[cut],
            adjusted_close=None if adjusted is None else adjusted[cut],
        )

    def closed_by(self, now: datetime) -> "Bars":
        """Return the bars that had closed by `now`; a daily bar closes when its UTC day is over."""
        opened_by = moment(now - TIMEFRAMES[self.timeframe])
        return self.slice(0, int(np.searchsorted(self.timestamps, opened_by, side="right")))

    def until(self, day: date) -> "Bars":
        """Return the bars that opened on `day` (UTC) or before."""
        end = np.datetime64(day + timedelta(days=1), "s")
        return self.slice(0, int(np.searchsorted(self.timestamps, end, side="left")))

    def since(self, day: date) -> "Bars":
        """Return the bars that opened on `day` (UTC) or after."""
        return self.slice(self.position(day))

    def position(self, day: date) -> int:
        """Return where the first bar on or after `day` stands; `len(self)` if there is none."""
        return int(np.searchsorted(self.timestamps, np.datetime64(day, "s"), side="left"))

    def time(self, index: int) -> datetime:
        """Return when the bar at `index` opened."""
        return datetime.fromtimestamp(int(self.timestamps[index].astype(np.int64)), UTC)

    def day(self, index: int) -> date:
        """Return the UTC date of the bar at `index`."""
        return self.time(index).date()

    def epochs(self) -> NDArray[np.int64]:
        """Return the opening times as seconds since 1970."""
        return self.timestamps.astype("datetime64[s]").astype(np.int64)

    def split_adjusted(self) -> "Bars":
        """Return the bars in the share count of the last one, so that a split is no crash.

        Prices before a split are divided by it and volumes multiplied. Cut first, adjust second:
        a split after the cut is not known yet, and the last close stays the price people paid.
        """
        factors = split_factors(self)
        if (factors == 1.0).all():
            return self
        return replace(
            self,
            open=self.open / factors,
            high=self.high / factors,
            low=self.low / factors,
            close=self.close / factors,
            volume=self.volume * factors,
        )

    def total_return_close(self) -> Floats:
        """Return closes whose ratios include dividends, where the source tells them."""
        return self.split_adjusted().close if self.adjusted_close is None else self.adjusted_close


def without_gaps(close: Floats, adjusted: Floats) -> Floats | None:
    """Return `adjusted` with its NaN filled: bars nobody adjusted continue the last known factor.

    None when nothing is known. Bars before the first known factor take that one.
    """
    known = ~np.isnan(adjusted)
    if not known.any():
        return None
    if known.all():
        return adjusted
    newest_known = np.maximum.accumulate(np.where(known, np.arange(len(close)), -1))
    newest_known[newest_known < 0] = np.argmax(known)
    filled: Floats = np.where(known, adjusted, close * (adjusted / close)[newest_known])
    return filled


def split_factors(bars: Bars) -> Floats:
    """Return for each bar how many of today's shares one share was then.

    Sources tell splits only through the adjusted close: on a split day its ratio to the raw close
    steps by the split, give or take that day's dividend. Steps within 1 % of a plain fraction and
    of at least 1.19 (either way) count; a dividend that size would be misread, and none is known.
    """
    factors = np.ones(len(bars))
    if bars.adjusted_close is None or len(bars) < 2:
        return factors
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = bars.adjusted_close / bars.close
        steps = ratio[1:] / ratio[:-1]
    big = np.abs(np.log(steps, where=steps > 0, out=np.zeros(len(steps)))) >= np.log(SMALLEST_SPLIT)
    for index in np.flatnonzero(big & np.isfinite(steps)):
        step = float(steps[index])
        # 1-for-20 and 20-for-1 alike: look for the fraction on the side above one.
        fraction = Fraction(max(step, 1 / step)).limit_denominator(4)
        split = float(fraction if step > 1 else 1 / fraction)
        if abs(step / split - 1) <= 0.01:
            factors[: index + 1] *= split
    return factors


def moment(time: datetime) -> np.datetime64:
    """Return an aware time as numpy's, whole seconds UTC."""
    return np.datetime64(int(time.timestamp()), "s")
