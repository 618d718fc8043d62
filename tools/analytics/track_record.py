"""How often signals like this one were right, on this symbol, as of the last bar.

A firing counts once its outcome is known: it fired at t, the outcome needs h bars, and t + h is not
after the last bar. Firings less than h bars after a counted one are left out, because their
outcomes share days. The base rate is the same outcome over every day on which it could be judged:
what one gets for doing nothing clever.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.analytics.composite import Composite
from tools.analytics.prices import Floats, Prices, log_returns
from tools.analytics.signals import Firing

ENOUGH = 30
"""Fewer outcomes than this say nothing, and no rate is shown."""
SHRINK = 100
"""Base-rate outcomes mixed into `expected`."""
BANDS = (-100.0, -60.0, -30.0, 0.0, 30.0, 60.0, 100.0)
Edge = Literal["measured edge", "no measured edge", "too few"]


@dataclass(frozen=True)
class TrackRecord:
    """The measured record of one kind of signal. Rates are fractions."""

    event: str
    """What counts as right, in words."""
    like: str
    """Which past days were counted, in words."""
    horizon_bars: int
    n: int
    hits: int
    base_rate: float | None
    base_n: int
    hit_rate: float | None
    """None while n is below `ENOUGH`."""
    wilson_low: float | None
    wilson_high: float | None
    """95 % interval of the rate; None while n is below `ENOUGH`."""
    expected: float | None
    """(hits + 100 base) / (n + 100): the base rate, moved as far as the record carries."""
    edge: Edge
    """`measured edge` only if the whole interval lies above the base rate."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One definition of right, over every bar: 1 hit, 0 miss, NaN not yet known or not defined."""

    event: str
    horizon_bars: int
    hits: Floats


def of_firing(firing: Firing, firings: list[Firing], outcomes: dict[str, Outcome]) -> TrackRecord:
    """Return the record of the earlier firings like this one."""
    outcome = outcomes[firing.like]
    fired = [other.bar for other in firings if other.like == firing.like]
    return _record(outcome, np.array(fired, dtype=np.int64), like="earlier signals of this kind")


def of_composite(composite: Composite, outcomes: dict[str, Outcome]) -> TrackRecord | None:
    """Return what followed days whose strength was in the band of today's; None without one."""
    today = composite.strength[-1] if len(composite.strength) else np.nan
    if np.isnan(today):
        return None
    place = min(int(np.searchsorted(BANDS, today, side="right")) - 1, len(BANDS) - 2)
    low, high = BANDS[place], BANDS[place + 1]
    top = composite.strength <= high if high == BANDS[-1] else composite.strength < high
    days = np.flatnonzero((composite.strength >= low) & top)
    return _record(
        outcomes["entry-" if high <= -30.0 else "entry+"],
        days,
        like=f"days with a strength from {low:.0f} to {high:.0f}, at least 20 bars apart",
    )


def outcomes(prices: Prices, atr: Floats) -> dict[str, Outcome]:
    """Return every kind's outcome at every bar, as far as the history tells."""
    month, week = _forward_return(prices.total, 20), _forward_return(prices.total, 5)
    returns = log_returns(prices.total)
    counted = np.arange(len(returns), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = 20.0 * np.nancumsum(returns) / counted
    wilder = _next_five_above_usual(returns)
    named: dict[str, Outcome] = {}
    for sign, side, word in (("+", 1.0, "rises"), ("-", -1.0, "falls")):
        more = "more" if side > 0 else "less"
        named[f"entry{sign}"] = Outcome(
            f"the next 20 bars return {more} than this symbol's own average until then",
            20,
            _positive(side * (month - drift)),
        )
        for kind in ("trend_change", "breakout"):
            named[f"{kind}{sign}"] = Outcome(
                f"the price {word} over the next 20 bars", 20, _positive(side * month)
            )
        named[f"reversal{sign}"] = Outcome(
            f"the price {word} over the next 5 bars", 5, _positive(side * week)
        )
        named[f"exit{sign}"] = Outcome(
            f"the price {word} by at least one average true range within 10 bars",
            10,
            _excursion(prices, atr, bars=10, side=side),
        )
    above = "the variance of the next 5 bars is above its median of the last 66"
    named["volatility:burst"] = Outcome(above, 5, wilder)
    named["volume_spike"] = Outcome(above, 5, wilder)
    named["volatility:squeeze"] = Outcome(above.replace("above", "below"), 5, 1.0 - wilder)
    return named


def wilson(hits: int, n: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return Wilson's interval for a rate (95 % by default)."""
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def _record(outcome: Outcome, bars: NDArray[np.int64], *, like: str) -> TrackRecord:
    judged = outcome.hits[apart(bars, outcome.horizon_bars)] if len(bars) else np.empty(0)
    judged = judged[~np.isnan(judged)]
    every = outcome.hits[~np.isnan(outcome.hits)]
    n, hits = len(judged), int(judged.sum())
    base = float(every.mean()) if len(every) else None
    low, high = wilson(hits, n)
    enough = n >= ENOUGH and base is not None
    edge: Edge = "too few"
    if enough and base is not None:
        edge = "measured edge" if low > base else "no measured edge"
    return TrackRecord(
        event=outcome.event,
        like=like,
        horizon_bars=outcome.horizon_bars,
        n=n,
        hits=hits,
        base_rate=base,
        base_n=len(every),
        hit_rate=hits / n if enough else None,
        wilson_low=low if enough else None,
        wilson_high=high if enough else None,
        expected=None if base is None else (hits + SHRINK * base) / (n + SHRINK),
        edge=edge,
    )


def apart(bars: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Return the bars that are at least `horizon` after the last one taken, from the oldest on."""
    taken: list[int] = []
    for bar in bars:
        if not taken or bar - taken[-1] >= horizon:
            taken.append(int(bar))
    return np.array(taken, dtype=np.int64)


def _forward_return(total: Floats, bars: int) -> Floats:
    out = np.full(len(total), np.nan)
    if len(total) > bars:
        out[:-bars] = np.log(total[bars:] / total[:-bars])
    return out


def _positive(values: Floats) -> Floats:
    """Return 1 where positive, 0 where not (a tie is a miss), NaN where unknown."""
    return np.where(np.isnan(values), np.nan, (values > 0).astype(np.float64))


def _excursion(prices: Prices, atr: Floats, *, bars: int, side: float) -> Floats:
    """Return whether the price went one ATR to `side` of the close within the next `bars`."""
    out = np.full(len(prices), np.nan)
    if len(prices) <= bars:
        return out
    column = prices.high if side > 0 else -prices.low
    ahead = np.lib.stride_tricks.sliding_window_view(column[1:], bars).max(axis=1)
    reached = ahead - side * prices.close[:-bars] >= atr[:-bars]
    out[:-bars] = np.where(np.isnan(atr[:-bars]), np.nan, reached.astype(np.float64))
    return out


def _next_five_above_usual(returns: Floats) -> Floats:
    """Return whether the next 5 bars' variance exceeds the median 5-bar variance of the last 66."""
    count = len(returns)
    out = np.full(count, np.nan)
    if count < 6:
        return out
    variance = np.full(count, np.nan)
    squares = returns**2
    variance[4:] = np.lib.stride_tricks.sliding_window_view(squares, 5).mean(axis=1)
    usual = np.full(count, np.nan)
    if count >= 66:
        usual[65:] = np.median(np.lib.stride_tricks.sliding_window_view(variance, 66), axis=1)
    ahead, known = variance[5:], usual[:-5]
    out[:-5] = np.where(
        np.isnan(ahead) | np.isnan(known), np.nan, (ahead > known).astype(np.float64)
    )
    return out
