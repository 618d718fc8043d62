"""What a price history is: one instrument, one timeframe, columns of numbers.

A `Bars` is a value. Slicing gives another one, so the moment after which nothing may be read is
cut off once, at the door, and whatever computes behind it cannot look ahead.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tools.market.actions import (
    Action,
    changes_returns,
    dividend_factors,
    positions,
    roll_lines,
)
from tools.market.actions import split_factors as split_factors_of
from tools.market.calendars import closing_times

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

TIMEFRAMES: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
    "1mo": timedelta(days=31),
}
"""Name -> how long one bar is open, at most. A bar's timestamp is its opening, UTC."""

Basis = Literal["as_traded", "split_adjusted"]
"""What a source's prices are: those people paid, or those divided by every later split."""

_Cut: TypeAlias = slice | NDArray[np.bool_]

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
    basis: Basis = "as_traded"
    adjusted_until: date | None = None
    """Up to which day the source of `split_adjusted` prices has divided by splits."""
    actions: tuple[Action, ...] = ()
    """Splits, dividends and rolls that are known, by date; those after the last bar change
    nothing."""
    currency: str = "USD"
    calendar: str | None = None
    """Of the exchange, where it is known: `tools.market.calendars`."""

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
        return self._cut(np.s_[start:stop])

    def pick(self, which: NDArray[np.bool_]) -> "Bars":
        """Return the bars where `which` is true."""
        return self._cut(which)

    def _cut(self, cut: "_Cut") -> "Bars":
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

    def ends(self) -> Times:
        """Return when each bar closes: `datetime64[s]`, UTC, rising."""
        return closing_times(self.timestamps, self.timeframe, calendar=self.calendar)

    def closed_by(self, now: datetime) -> "Bars":
        """Return the bars that had closed by `now`.

        A daily bar closes with its exchange where the calendar is known, else when its UTC day
        is over.
        """
        opened = int(np.searchsorted(self.timestamps, moment(now), side="right"))
        # Only bars that began within one timeframe can still be open.
        first = int(
            np.searchsorted(self.timestamps, moment(now - TIMEFRAMES[self.timeframe]), side="right")
        )
        ends = self.slice(first, opened).ends()
        return self.slice(0, first + int(np.searchsorted(ends, moment(now), side="right")))

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
        """Return the bars in the share count, or the contract, of the last one.

        Prices before a split are divided by it and volumes multiplied; those before a roll are
        moved to the contract that is held at the end. Cut first, adjust second: what comes after
        the cut is not known yet, and the last close stays the price people paid. Doing it again
        changes nothing.
        """
        if not len(self):
            return self
        factors, rolled = split_factors(self), self._rolls()
        if rolled is None and (factors == 1.0).all():
            return self
        scale, shift = rolled or (1.0, 0.0)
        return replace(
            self,
            open=self.open / factors * scale + shift,
            high=self.high / factors * scale + shift,
            low=self.low / factors * scale + shift,
            close=self.close / factors * scale + shift,
            volume=self.volume * factors,
            basis="split_adjusted",
            adjusted_until=self.day(-1),
        )

    def total_return_close(self) -> Floats:
        """Return closes whose ratios include dividends, as far as anybody told of them.

        The source's adjusted close where it gives one, else from the dividends that are known.
        Across a roll they are the returns of the contract that was held, however levels are
        adjusted, as long as prices are above zero.
        """
        if self.adjusted_close is not None:
            return self.adjusted_close
        adjusted = self.split_adjusted()
        if not changes_returns(self.actions):
            return adjusted.close
        placed = positions(self.actions, self.ends())
        close = adjusted.close
        rolls = [one for first, one in placed if one.kind == "roll" and first]
        if rolls and all(one.has_ratio for one in rolls) and (self.close > 0).all():
            lines = self._rolls(only_ratios=True)
            if lines is not None:
                close = self.close / split_factors(self) * lines[0]
        # Dividends are told per share of their day, whatever the source's prices are.
        shares = split_factors_of(placed, len(self))
        factors = dividend_factors(placed, close, shares, currency=self.currency)
        total: Floats = close * factors
        return total

    def _rolls(self, *, only_ratios: bool = False) -> tuple[Floats, Floats] | None:
        if not any(one.kind == "roll" for one in self.actions):
            return None
        after = self.adjusted_until if self.basis == "split_adjusted" else None
        placed = positions(self.actions, self.ends())
        return roll_lines(placed, len(self), after=after, only_ratios=only_ratios)


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
    """Return for each bar how many of the last bar's shares one share was then.

    Splits that are known decide. A source that gives prices as traded may tell of others through
    its adjusted close alone: on a split day its ratio to the raw close steps by the split, give or
    take that day's dividend. Steps within 1 % of a plain fraction and of at least 1.19 (either way)
    count, unless an action is known on that day; a dividend that size would be misread, and none
    is known.
    """
    placed = positions(bars.actions, bars.ends()) if bars.actions else []
    if bars.basis == "split_adjusted":
        return split_factors_of(placed, len(bars), after=bars.adjusted_until)
    factors = split_factors_of(placed, len(bars))
    if bars.adjusted_close is None or len(bars) < 2:
        return factors
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = bars.adjusted_close / bars.close
        steps = ratio[1:] / ratio[:-1]
    big = np.abs(np.log(steps, where=steps > 0, out=np.zeros(len(steps)))) >= np.log(SMALLEST_SPLIT)
    explained = {first for first, _ in placed}
    for index in np.flatnonzero(big & np.isfinite(steps)):
        if index + 1 in explained:
            continue
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
