"""What has to happen after a signal for it to have been right, judged at every bar.

One definition per kind: the signals' grades, the hit rates and the base rates all come from here.
An outcome at bar t is known at the close of bar t + h, and not before. A tie is a miss, for a
signal and for its opposite.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.analytics import rolling, variance
from tools.analytics.firings import Firing
from tools.analytics.prices import Floats, Prices, log_ratio, log_returns
from tools.analytics.signals import BURST, LEAST, MEMORY, breakout_range, usual_variance

IN_ATR = "average true ranges"
TIMES = "times the level"
FAILS_WITHIN = 5
"""Bars within which a close back inside the range makes a breakout a failed one."""


@dataclass(frozen=True)
class Event:
    """What being right means, and after how many bars one knows."""

    event: str
    """In words: "the price rises over the next 20 bars"."""
    horizon_bars: int


_MORE = "the next 20 bars return {} than this symbol's own average until then"
_ATR = "the price {} by at least one average true range within 10 bars"
EVENTS: dict[str, Event] = {
    "entry+": Event(_MORE.format("more"), 20),
    "entry-": Event(_MORE.format("less"), 20),
    "exit+": Event(_ATR.format("rises"), 10),
    "exit-": Event(_ATR.format("falls"), 10),
    "trend_change+": Event("the price rises over the next 20 bars", 20),
    "trend_change-": Event("the price falls over the next 20 bars", 20),
    "volatility:burst": Event(
        "the variance of the next 5 bars is above the 75th percentile of its own past", 5
    ),
    "volatility:squeeze": Event(
        "the variance of the next 5 bars is below the median of its own past", 5
    ),
    "volume_spike": Event("the variance of the next 5 bars is above its median of the last 66", 5),
    "breakout+": Event("the price rises over the next 20 bars", 20),
    "breakout-": Event("the price falls over the next 20 bars", 20),
    "reversal+": Event("the price rises over the next 5 bars", 5),
    "reversal-": Event("the price falls over the next 5 bars", 5),
}
"""By kind: the one definition that grades, hit rates and base rates share."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One event, over every bar."""

    event: str
    horizon_bars: int
    hits: Floats
    """1 hit, 0 miss, NaN not known yet or not defined."""
    values: Floats
    """What was compared, in `unit`; positive returns are in the signal's favour."""
    unit: str

    def base_rates(self) -> Floats:
        """Return how often the event came true on the bars known at each bar.

        Over the last `MEMORY` bars whose outcome was known; NaN while fewer than `LEAST` are.
        """
        known = ~np.isnan(self.hits)
        counted = _trailing(known.astype(np.float64), MEMORY)
        hit = _trailing(np.where(known, self.hits, 0.0), MEMORY)
        rate = np.full(len(self.hits), np.nan)
        np.divide(hit, counted, out=rate, where=counted >= LEAST)
        return rolling.lagged(rate, self.horizon_bars)


def judge(prices: Prices, atr: Floats) -> dict[str, Outcome]:
    """Return every kind's outcome at every bar, as far as the history tells."""
    unit = np.full(len(prices), np.nan)
    np.divide(prices.close, atr, out=unit, where=atr > 0)
    month, week = _ahead(prices.total, 20), _ahead(prices.total, 5)
    drift = 20.0 * _drift(log_returns(prices.total))
    named: dict[str, Outcome] = {}
    for sign, side in (("+", 1.0), ("-", -1.0)):
        for kind, ahead in (
            ("entry", month - drift),
            ("trend_change", month),
            ("breakout", month),
            ("reversal", week),
        ):
            values = side * ahead * unit
            named[f"{kind}{sign}"] = _outcome(f"{kind}{sign}", values > 0.0, values, IN_ATR)
        reached = _excursion(prices, atr, bars=10, side=side)
        named[f"exit{sign}"] = _outcome(f"exit{sign}", reached >= 1.0, reached, IN_ATR)
    return {**named, **_calm_and_storm(prices)}


def failed_after(firing: Firing, prices: Prices) -> int | None:
    """Return after how many bars a breakout closed back inside the range it left, if within 5."""
    if firing.type != "breakout":
        return None
    edge = breakout_range(prices.upto(firing.bar))[firing.side][-1]
    after = prices.close[firing.bar + 1 : firing.bar + 1 + FAILS_WITHIN]
    inside = np.flatnonzero((after - edge) * firing.side <= 0)
    return int(inside[0]) + 1 if len(inside) else None


def _calm_and_storm(prices: Prices) -> dict[str, Outcome]:
    """Return the outcomes that speak of how much the price moves, not where to."""
    week = variance.of_weeks(prices)
    ahead = np.full(len(week), np.nan)
    if len(week) > variance.BARS:
        ahead[: -variance.BARS] = week[variance.BARS :]
    quarter = rolling.quantile(week, 66, 0.5, least=66)
    ceiling, middle = usual_variance(week, BURST), usual_variance(week, 0.5)
    return {
        like: _outcome(like, right, _times(ahead, level), TIMES)
        for like, right, level in (
            ("volatility:burst", ahead > ceiling, ceiling),
            ("volatility:squeeze", ahead < middle, middle),
            ("volume_spike", ahead > quarter, quarter),
        )
    }


def _outcome(like: str, right: NDArray[np.bool_], values: Floats, unit: str) -> Outcome:
    event = EVENTS[like]
    return Outcome(event.event, event.horizon_bars, _hits(right, values), values, unit)


def _hits(right: NDArray[np.bool_], values: Floats) -> Floats:
    """Return 1 where right and 0 where not, NaN where nothing can be said."""
    return np.where(np.isnan(values), np.nan, right.astype(np.float64))


def _times(values: Floats, level: Floats) -> Floats:
    """Return `values` in multiples of `level`; 1 where that is 0, which has no multiples."""
    out = np.where(np.isnan(values) | np.isnan(level), np.nan, 1.0)
    np.divide(values, level, out=out, where=level > 0)
    return out


def _ahead(total: Floats, bars: int) -> Floats:
    """Return the log return over the next `bars`."""
    out = np.full(len(total), np.nan)
    if len(total) > bars:
        out[:-bars] = log_ratio(total[bars:], total[:-bars])
    return out


def _drift(returns: Floats) -> Floats:
    """Return the mean log return of the last `MEMORY` bars, NaN before there are `LEAST`."""
    known = ~np.isnan(returns)
    counted = _trailing(known.astype(np.float64), MEMORY)
    out = np.full(len(returns), np.nan)
    total = _trailing(np.where(known, returns, 0.0), MEMORY)
    np.divide(total, counted, out=out, where=counted >= LEAST)
    return out


def _trailing(values: Floats, bars: int) -> Floats:
    """Return the sum of the last `bars` values, or of all there are."""
    sums = np.cumsum(values)
    out = sums.copy()
    out[bars:] -= sums[:-bars]
    return out


def _excursion(prices: Prices, atr: Floats, *, bars: int, side: float) -> Floats:
    """Return how far the price went to `side` of the close within the next `bars`, in ATR."""
    out = np.full(len(prices), np.nan)
    if len(prices) <= bars:
        return out
    column = side * (prices.high if side > 0 else prices.low)
    ahead = np.lib.stride_tricks.sliding_window_view(column[1:], bars).max(axis=1)
    usual = atr[:-bars]
    np.divide(ahead - side * prices.close[:-bars], usual, out=out[:-bars], where=usual > 0)
    return out
