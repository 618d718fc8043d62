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
from tools.analytics.prices import Floats, Prices, log_returns
from tools.analytics.signals import BURST, LEAST, MEMORY, breakout_range, usual_variance

IN_ATR = "average true ranges"
TIMES = "times the level"
FAILS_WITHIN = 5
"""Bars within which a close back inside the range makes a breakout a failed one."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One definition of right, over every bar."""

    event: str
    """In words: "the price rises over the next 20 bars"."""
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
    for sign, side, word in (("+", 1.0, "rises"), ("-", -1.0, "falls")):
        more = "more" if side > 0 else "less"
        named[f"entry{sign}"] = _over_zero(
            f"the next 20 bars return {more} than this symbol's own average until then",
            20,
            side * (month - drift) * unit,
        )
        for kind in ("trend_change", "breakout"):
            named[f"{kind}{sign}"] = _over_zero(
                f"the price {word} over the next 20 bars", 20, side * month * unit
            )
        named[f"reversal{sign}"] = _over_zero(
            f"the price {word} over the next 5 bars", 5, side * week * unit
        )
        reached = _excursion(prices, atr, bars=10, side=side)
        named[f"exit{sign}"] = Outcome(
            f"the price {word} by at least one average true range within 10 bars",
            10,
            _hits(reached >= 1.0, reached),
            reached,
            IN_ATR,
        )
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

    def above(level: Floats, words: str) -> Outcome:
        times = _times(ahead, level)
        return Outcome(words, variance.BARS, _hits(ahead > level, times), times, TIMES)

    middle = usual_variance(week, 0.5)
    calm = _times(ahead, middle)
    return {
        "volatility:burst": above(
            usual_variance(week, BURST),
            "the variance of the next 5 bars is above the 75th percentile of its own past",
        ),
        "volatility:squeeze": Outcome(
            "the variance of the next 5 bars is below the median of its own past",
            variance.BARS,
            _hits(ahead < middle, calm),
            calm,
            TIMES,
        ),
        "volume_spike": above(
            quarter, "the variance of the next 5 bars is above its median of the last 66"
        ),
    }


def _over_zero(event: str, horizon: int, values: Floats) -> Outcome:
    return Outcome(event, horizon, _hits(values > 0.0, values), values, IN_ATR)


def _hits(right: NDArray[np.bool_], values: Floats) -> Floats:
    """Return 1 where right and 0 where not, NaN where nothing can be said."""
    return np.where(np.isnan(values), np.nan, right.astype(np.float64))


def _times(values: Floats, level: Floats) -> Floats:
    """Return `values` in multiples of `level`; where that is 0, nothing is called above it."""
    out = np.where(np.isnan(values) | np.isnan(level), np.nan, 1.0)
    np.divide(values, level, out=out, where=level > 0)
    return out


def _ahead(total: Floats, bars: int) -> Floats:
    """Return the log return over the next `bars`."""
    out = np.full(len(total), np.nan)
    if len(total) > bars:
        out[:-bars] = np.log(total[bars:] / total[:-bars])
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
