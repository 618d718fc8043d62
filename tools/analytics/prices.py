"""The columns that analytics reads: split-adjusted prices up to the bar it speaks about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
YEAR = 252
"""Trading days: what annualises a daily figure."""
BARS_A_YEAR = {
    "1m": YEAR * 390.0,
    "5m": YEAR * 78.0,
    "15m": YEAR * 26.0,
    "30m": YEAR * 13.0,
    "1h": YEAR * 6.5,
    "4h": YEAR * 1.625,
    "1d": float(YEAR),
    "1w": 52.0,
    "1mo": 12.0,
}
"""By timeframe. Intraday by convention: sessions of six and a half hours, wherever it trades."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Equally long columns, oldest first, no NaN; prices are in the share count of the last bar."""

    days: NDArray[np.datetime64]
    """`datetime64[s]`, UTC."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    total: Floats
    """Closes whose ratios include dividends; equal to `close` where none are known."""

    def __len__(self) -> int:
        return len(self.close)

    def upto(self, index: int) -> "Prices":
        """Return the columns as they stood at the close of bar `index` (0-based)."""
        return self._cut(np.s_[: index + 1])

    def newest(self, bars: int) -> "Prices":
        """Return the last `bars` rows, or all there are."""
        return self._cut(np.s_[max(0, len(self) - bars) :])

    def _cut(self, rows: slice) -> "Prices":
        return Prices(
            days=self.days[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
            total=self.total[rows],
        )


def percentile_rank(history: Floats, value: float) -> tuple[float, int] | None:
    """Return the share (%) of `history` that lies below `value`, ties counting half, and n.

    `history` is what came before; NaN in it (warm-up) is left out. None when nothing is left.
    """
    known = history[~np.isnan(history)]
    if not len(known) or np.isnan(value):
        return None
    below = np.count_nonzero(known < value) + 0.5 * np.count_nonzero(known == value)
    return 100.0 * float(below) / len(known), len(known)


def years_before(days: NDArray[np.datetime64], index: int, years: int) -> int:
    """Return the position of the first bar less than `years` calendar years before bar `index`."""
    day = days[index].astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    earlier = (month - np.timedelta64(12 * years, "M")).astype("datetime64[D]")
    return int(np.searchsorted(days, earlier + (day - month.astype("datetime64[D]")), "right"))


def percent_change(now: float, then: float) -> float | None:
    """Return the change in %; None where either price is zero or negative, and there is none."""
    return 100.0 * (now / then - 1.0) if now > 0 and then > 0 else None


def log_ratio(after: Floats, before: Floats) -> Floats:
    """Return the logarithm of each ratio; NaN where either price is zero or negative."""
    found = np.full(len(after), np.nan)
    real = (after > 0) & (before > 0)
    found[real] = np.log(after[real] / before[real])
    return found


def log_returns(closes: Floats) -> Floats:
    """Return the log return of each bar over the one before; NaN for the first.

    NaN too where either close is zero or negative: there is no such return.
    """
    returns = np.full(len(closes), np.nan)
    if len(closes) > 1:
        before, after = closes[:-1], closes[1:]
        real = (before > 0) & (after > 0)
        # Not a difference of logarithms: that loses the digits of small moves of large prices.
        returns[1:][real] = np.log1p((after[real] - before[real]) / before[real])
    return returns
