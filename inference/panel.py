"""Prices of several instruments as arrays: what market features are computed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.requests import Floats

Times = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Series:
    """Closed bars of one instrument, oldest first, split-adjusted; each time once."""

    symbol: str
    times: Times
    """`datetime64[s]`, UTC, when each bar closed: what is computed from it is known then."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    """NaN or 0 where it is not known."""
    total: Floats
    """Close times dividend factors: only its ratios mean something (total return)."""

    def __len__(self) -> int:
        return len(self.times)

    def until(self, moment: np.datetime64) -> "Series":
        """Return what was known at `moment`."""
        return self.part(0, int(np.searchsorted(self.times, moment, side="right")))

    def part(self, start: int, stop: int) -> "Series":
        """Return the bars from `start` up to `stop`."""
        some = slice(start, stop)
        return Series(
            self.symbol,
            self.times[some],
            self.open[some],
            self.high[some],
            self.low[some],
            self.close[some],
            self.volume[some],
            self.total[some],
        )


@dataclass(frozen=True, eq=False)
class Panel:
    """Several instruments of one market and one timeframe."""

    timeframe: str
    series: tuple[Series, ...]
    bars_a_year: float = 252.0

    def until(self, moment: np.datetime64) -> "Panel":
        """Return what was known at `moment`."""
        cut = tuple(series.until(moment) for series in self.series)
        return Panel(self.timeframe, cut, self.bars_a_year)

    def of(self, symbol: str) -> Series:
        """Return one instrument's series.

        Raises:
            KeyError: it is not in the panel.
        """
        for series in self.series:
            if series.symbol == symbol:
                return series
        raise KeyError(symbol)
