"""The per-bar numbers of an instrument: one catalogue that screens, alerts and live frames share.

`FIELDS` says what there is; `table` gives every field over a whole history, `at` all of them at one
bar. A value is NaN (None in a snapshot) until its bars are there, and where it does not exist: %b
between bands of no width, a ratio to no volume, a share of a price of zero or less. Whatever is
here at bar t was known at its close.
"""

from dataclasses import dataclass

import numpy as np

from tools.analytics import composite, indicators, trend, volatility
from tools.analytics.prices import BARS_A_YEAR, Floats, Prices
from tools.analytics.ta_lib import talib

VOLUME_BARS = 50
YEAR_BARS = {"1d": 252, "1w": 52}
"""Bars in 52 weeks, for the timeframes on which such a range is kept at all."""

Snapshot = dict[str, float | None]


@dataclass(frozen=True)
class Field:
    """One number per bar."""

    unit: str
    description: str
    bars: int
    """Bars until there is a first value; where it is not a number for another reason, later."""


PRICE = "price"
PERCENT = "%"
INDEX = "index 0-100"

FIELDS: dict[str, Field] = {
    "close": Field(PRICE, "closing price", 1),
    "open": Field(PRICE, "opening price", 1),
    "high": Field(PRICE, "highest price of the bar", 1),
    "low": Field(PRICE, "lowest price of the bar", 1),
    "volume": Field("shares", "volume of the bar", 1),
    "changePercent": Field(PERCENT, "close against the close before", 2),
    "rsi": Field(INDEX, "RSI 14, Wilder; 50 where 14 closes stood still", 15),
    "macd": Field(PRICE, "MACD 12/26: difference of the exponential averages", 34),
    "macdSignal": Field(PRICE, "exponential average over 9 of the MACD", 34),
    "macdHistogram": Field(PRICE, "MACD less its signal", 34),
    "sma20": Field(PRICE, "mean of 20 closes", 20),
    "sma50": Field(PRICE, "mean of 50 closes", 50),
    "sma200": Field(PRICE, "mean of 200 closes", 200),
    "ema12": Field(PRICE, "exponential average over 12 closes", 12),
    "ema26": Field(PRICE, "exponential average over 26 closes", 26),
    "bollingerUpper": Field(PRICE, "mean of 20 closes plus two standard deviations", 20),
    "bollingerMiddle": Field(PRICE, "mean of 20 closes", 20),
    "bollingerLower": Field(PRICE, "mean of 20 closes less two standard deviations", 20),
    "bandwidth": Field("share of the middle band", "width of the Bollinger bands", 20),
    "percentB": Field("0 lower band, 1 upper band", "where the close stands in the bands", 20),
    "atr": Field(PRICE, "average true range 14, Wilder", 15),
    "atrPercent": Field("% of the close", "average true range against the close", 15),
    "adx": Field(INDEX, "ADX 14, Wilder: how directed the moves are", 28),
    "plusDi": Field(INDEX, "+DI 14: share of upward movement", 15),
    "minusDi": Field(INDEX, "−DI 14: share of downward movement", 15),
    "obv": Field("shares", "on-balance volume since the history began; only changes count", 1),
    "stochasticK": Field(INDEX, "slow stochastic 14/3: place in the range of 14 bars", 18),
    "stochasticD": Field(INDEX, "mean of 3 of stochasticK", 18),
    "volatility20": Field("% a year", "root mean square of 20 log returns, annualised", 21),
    "volatility60": Field("% a year", "root mean square of 60 log returns, annualised", 61),
    "volumeRatio": Field("times", "volume against the mean of the 50 bars before", 51),
    "trendSlope": Field("price a bar", "slope of the line through 50 closes", 50),
    "trendR2": Field("0-1", "share of 50 closes' variance that their line explains", 50),
    "strength": Field("-100 to 100", "what the indicators' votes add up to", 50),
    "high52w": Field(PRICE, "highest high of 252 daily (52 weekly) bars", 252),
    "low52w": Field(PRICE, "lowest low of 252 daily (52 weekly) bars", 252),
    "fromHigh52wPercent": Field(PERCENT, "close against high52w; 0 or below", 252),
}


def table(prices: Prices, *, timeframe: str = "1d") -> dict[str, Floats]:
    """Return every field of `FIELDS` over the whole history, NaN where there is none.

    `timeframe` only says how a volatility is annualised and how many bars 52 weeks have.
    """
    found = indicators.compute(prices)
    close, volume = prices.close, prices.volume
    slope, _, r2, t_value = trend.lines(close)
    strength = composite.weigh(close, found, slope=slope, t_value=t_value).strength
    a_year = 100.0 * float(np.sqrt(BARS_A_YEAR[timeframe]))
    high, low = _range(prices, YEAR_BARS.get(timeframe))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "close": close,
            "open": prices.open,
            "high": prices.high,
            "low": prices.low,
            "volume": volume,
            "changePercent": _percent(close, _before(close)),
            "rsi": found.rsi,
            "macd": found.macd,
            "macdSignal": found.macd_signal,
            "macdHistogram": found.macd_histogram,
            "sma20": found.sma20,
            "sma50": found.sma50,
            "sma200": found.sma200,
            "ema12": found.ema12,
            "ema26": found.ema26,
            "bollingerUpper": found.upper,
            "bollingerMiddle": found.middle,
            "bollingerLower": found.lower,
            "bandwidth": found.bandwidth,
            "percentB": found.percent_b(close),
            "atr": found.atr,
            "atrPercent": np.where(close > 0, 100.0 * found.atr / close, np.nan),
            "adx": found.adx,
            "plusDi": found.plus_di,
            "minusDi": found.minus_di,
            "obv": found.obv,
            "stochasticK": found.stochastic_k,
            "stochasticD": found.stochastic_d,
            "volatility20": a_year * volatility.rolling(prices.total, 20),
            "volatility60": a_year * volatility.rolling(prices.total, 60),
            "volumeRatio": _ratio(volume, _before(_mean(volume, VOLUME_BARS))),
            "trendSlope": slope,
            "trendR2": r2,
            "strength": strength,
            "high52w": high,
            "low52w": low,
            "fromHigh52wPercent": _percent(close, high),
        }


def at(fields: dict[str, Floats], bar: int) -> Snapshot:
    """Return every field at `bar` (negative: from the end), None where there is no value."""
    return {name: number(float(values[bar])) for name, values in fields.items()}


def number(value: float) -> float | None:
    """Return a value as JSON has it: None for NaN and infinities."""
    return value if np.isfinite(value) else None


def _before(values: Floats) -> Floats:
    """Return what each bar's predecessor has."""
    out = np.full(len(values), np.nan)
    out[1:] = values[:-1]
    return out


def _percent(now: Floats, then: Floats) -> Floats:
    """Return the change in %; NaN where either price is zero or negative, and there is none."""
    found: Floats = np.where((now > 0) & (then > 0), 100.0 * (now / then - 1.0), np.nan)
    return found


def _mean(values: Floats, bars: int) -> Floats:
    out = np.full(len(values), np.nan)
    if len(values) >= bars:
        out[bars - 1 :] = np.lib.stride_tricks.sliding_window_view(values, bars).mean(axis=1)
    return out


def _ratio(values: Floats, usual: Floats) -> Floats:
    out = np.full(len(values), np.nan)
    np.divide(values, usual, out=out, where=usual > 0)
    return out


def _range(prices: Prices, bars: int | None) -> tuple[Floats, Floats]:
    """Return the highest high and the lowest low of the `bars` up to each bar."""
    if bars is None or len(prices) < bars:
        return np.full(len(prices), np.nan), np.full(len(prices), np.nan)
    high, low = np.ascontiguousarray(prices.high), np.ascontiguousarray(prices.low)
    return talib.MAX(high, bars), talib.MIN(low, bars)
