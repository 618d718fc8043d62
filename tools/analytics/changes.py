"""What changed between two bars: the price, the indicators, and what happened on the way."""

from dataclasses import dataclass

import numpy as np

from tools.analytics import trend, volatility
from tools.analytics.indicators import Indicators
from tools.analytics.prices import YEAR, Prices, percent_change


@dataclass(frozen=True)
class Moment:
    """The state at one bar; None where there was too little history."""

    bar: int
    close: float
    rsi: float | None
    trend: str | None
    volatility: float | None
    """Daily volatility over 20 bars, annualised, %."""


@dataclass(frozen=True)
class Crossing:
    """One line passing another on the way."""

    bar: int
    what: str


@dataclass(frozen=True)
class Change:
    """From the close of one bar to the close of a later one; percents, not fractions."""

    then: Moment
    now: Moment
    change: float
    change_percent: float | None
    """None, like the other percents, across prices of zero or less."""
    total_return_percent: float | None
    """With dividends put back in, where the source tells them."""
    high: float
    high_bar: int
    low: float
    low_bar: int
    """Extremes of the bars after the first close, up to the last."""
    drawdown_percent: float | None
    """Deepest fall from a close to a later close; 0 or negative."""
    crossings: tuple[Crossing, ...]
    new_highs: int
    new_lows: int
    """Days whose close was the highest (lowest) of the 252 closes up to it."""


def between(prices: Prices, indicators: Indicators, start: int, end: int) -> Change:
    """Return what changed from bar `start` to bar `end` (both exist, `start` < `end`)."""
    close = prices.close
    first, last = float(close[start]), float(close[end])
    ahead = np.s_[start + 1 : end + 1]
    during = close[start : end + 1]
    peaks = np.maximum.accumulate(during)
    high_bar = start + 1 + int(np.argmax(prices.high[ahead]))
    low_bar = start + 1 + int(np.argmin(prices.low[ahead]))
    highs, lows = extremes(prices)
    return Change(
        then=at(prices, indicators, start),
        now=at(prices, indicators, end),
        change=last - first,
        change_percent=percent_change(last, first),
        total_return_percent=percent_change(float(prices.total[end]), float(prices.total[start])),
        high=float(prices.high[high_bar]),
        high_bar=high_bar,
        low=float(prices.low[low_bar]),
        low_bar=low_bar,
        drawdown_percent=(
            100.0 * float((during / peaks - 1.0).min()) if (during > 0).all() else None
        ),
        crossings=tuple(crossings(prices, indicators, start, end)),
        new_highs=int(highs[ahead].sum()),
        new_lows=int(lows[ahead].sum()),
    )


def at(prices: Prices, indicators: Indicators, bar: int) -> Moment:
    """Return the state at `bar`, from what was known at its close."""
    upto = prices.upto(bar)
    line = trend.fit(upto.close, atr=float(indicators.atr[bar]))
    moves = volatility.measure(upto.total, 20)
    rsi = float(indicators.rsi[bar])
    return Moment(
        bar=bar,
        close=float(prices.close[bar]),
        rsi=None if np.isnan(rsi) else rsi,
        trend=None if line is None else line.direction,
        volatility=None if moves is None else moves.annualised,
    )


def crossings(prices: Prices, indicators: Indicators, start: int, end: int) -> list[Crossing]:
    """Return each passing of close, SMA 50 and SMA 200 after `start` up to `end`, in order."""
    pairs = (
        ("the close", "SMA 200", prices.close - indicators.sma200),
        ("SMA 50", "SMA 200", indicators.sma50 - indicators.sma200),
        ("the close", "SMA 50", prices.close - indicators.sma50),
    )
    found: list[Crossing] = []
    for one, other, gap in pairs:
        side = np.sign(gap[start : end + 1])
        for offset in np.flatnonzero(side[1:] * side[:-1] < 0) + 1:
            word = "above" if side[offset] > 0 else "below"
            found.append(Crossing(start + int(offset), f"{one} crossed {word} {other}"))
    return sorted(found, key=lambda crossing: crossing.bar)


def extremes(prices: Prices, bars: int = YEAR) -> tuple[np.ndarray, np.ndarray]:
    """Return where a close is the highest, and the lowest, of the `bars` closes up to it."""
    close = prices.close
    highs, lows = np.zeros(len(close), dtype=bool), np.zeros(len(close), dtype=bool)
    if len(close) >= bars:
        windows = np.lib.stride_tricks.sliding_window_view(close, bars)
        highs[bars - 1 :] = close[bars - 1 :] > windows[:, :-1].max(axis=1)
        lows[bars - 1 :] = close[bars - 1 :] < windows[:, :-1].min(axis=1)
    return highs, lows
