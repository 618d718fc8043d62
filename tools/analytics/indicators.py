"""The classic indicators, exactly as TA-Lib computes them.

One departure, by rule: where TA-Lib's RSI says 0 only because nothing moved in the last 14 closes,
ours says 50, since neither side pushed. Everything else is TA-Lib's value bit for bit: SMA; EMA
seeded with the SMA of its first n closes; Wilder's RSI, ATR and directional movement; MACD 12/26/9
on closes; Bollinger 20/2 with the population standard deviation; OBV from the first bar's volume;
the slow stochastic 14/3/3 with simple averages.
"""

from dataclasses import dataclass

import numpy as np

from tools.analytics.prices import Floats, Prices, percentile_rank, years_before
from tools.analytics.ta_lib import talib

RANK_YEARS = 5
WARM_UP = {
    "rsi": 15,
    "macd": 34,
    "sma20": 20,
    "sma50": 50,
    "sma200": 200,
    "ema12": 12,
    "ema26": 26,
    "bollinger": 20,
    "atr": 15,
    "adx": 28,
    "obv": 1,
    "stochastic": 18,
}
"""Bars until there is a first value at all."""
SETTLED = 250
"""Bars until recursive indicators no longer remember where the history began (to 1e-3)."""


@dataclass(frozen=True, eq=False)
class Indicators:
    """One value per bar, NaN where there is none yet."""

    rsi: Floats
    macd: Floats
    macd_signal: Floats
    macd_histogram: Floats
    sma20: Floats
    sma50: Floats
    sma200: Floats
    ema12: Floats
    ema26: Floats
    upper: Floats
    middle: Floats
    lower: Floats
    atr: Floats
    adx: Floats
    plus_di: Floats
    minus_di: Floats
    obv: Floats
    """Its level depends on where the history begins: only its changes mean something."""
    stochastic_k: Floats
    """0 where the last 14 bars have no range at all, as TA-Lib has it."""
    stochastic_d: Floats

    @property
    def bandwidth(self) -> Floats:
        """(upper - lower) / middle of the Bollinger bands; NaN around a middle of zero or less."""
        width = self.upper - self.lower
        out = np.full(len(width), np.nan)
        np.divide(width, self.middle, out=out, where=self.middle > 0)
        return out

    def percent_b(self, close: Floats) -> Floats:
        """Where the close stands between the bands: 0 at the lower, 1 at the upper."""
        width = self.upper - self.lower
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(width > 0, (close - self.lower) / width, np.nan)


def compute(prices: Prices) -> Indicators:
    """Return all indicators over the whole history."""
    high, low, close, volume = (
        _contiguous(c) for c in (prices.high, prices.low, prices.close, prices.volume)
    )
    macd, macd_signal, macd_histogram = _three(talib.MACD, close, 12, 26, 9)
    upper, middle, lower = _three(talib.BBANDS, close, 20, 2.0, 2.0)
    stochastic_k, stochastic_d = _two(talib.STOCH, high, low, close, 14, 3, 0, 3, 0)
    return Indicators(
        rsi=rsi(close),
        macd=macd,
        macd_signal=macd_signal,
        macd_histogram=macd_histogram,
        sma20=_one(talib.SMA, close, 20),
        sma50=_one(talib.SMA, close, 50),
        sma200=_one(talib.SMA, close, 200),
        ema12=_one(talib.EMA, close, 12),
        ema26=_one(talib.EMA, close, 26),
        upper=upper,
        middle=middle,
        lower=lower,
        atr=_one(talib.ATR, high, low, close, 14),
        adx=_one(talib.ADX, high, low, close, 14),
        plus_di=_one(talib.PLUS_DI, high, low, close, 14),
        minus_di=_one(talib.MINUS_DI, high, low, close, 14),
        obv=_one(talib.OBV, close, volume),
        stochastic_k=stochastic_k,
        stochastic_d=stochastic_d,
    )


def rsi(close: Floats, period: int = 14) -> Floats:
    """Return Wilder's RSI, 50 where the price has stood still for `period` closes."""
    values = _one(talib.RSI, _contiguous(close), period)
    if len(close) > period:
        moves = np.abs(np.diff(close, prepend=close[0]))
        moved = np.convolve(moves > 0, np.ones(period), mode="full")[: len(close)]
        values[(values == 0.0) & (moved == 0)] = 50.0
    return values


def rank(values: Floats, prices: Prices, *, years: int = RANK_YEARS) -> tuple[float, int] | None:
    """Return the last value's percentile rank (%) among those of the last `years`, and their n."""
    if not len(values):
        return None
    start = years_before(prices.days, len(values) - 1, years)
    return percentile_rank(values[start:-1], float(values[-1]))


def _contiguous(column: Floats) -> Floats:
    return np.ascontiguousarray(column, dtype=np.float64)


def _one(function: object, *arguments: object) -> Floats:
    if len(arguments[0]) == 0:  # type: ignore[arg-type]
        return np.empty(0)
    result: Floats = function(*arguments)  # type: ignore[operator]
    return result


def _two(function: object, *arguments: object) -> tuple[Floats, Floats]:
    if len(arguments[0]) == 0:  # type: ignore[arg-type]
        return np.empty(0), np.empty(0)
    first, second = function(*arguments)  # type: ignore[operator]
    return first, second


def _three(function: object, *arguments: object) -> tuple[Floats, Floats, Floats]:
    if len(arguments[0]) == 0:  # type: ignore[arg-type]
        return np.empty(0), np.empty(0), np.empty(0)
    first, second, third = function(*arguments)  # type: ignore[operator]
    return first, second, third
