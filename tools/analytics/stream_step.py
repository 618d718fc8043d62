"""One bar after the other, row by row: the arithmetic of the stream, as a compiler likes it.

Plain loops over plain arrays, so that numba can compile them; without numba the same function runs
as it stands, slower. TA-Lib's operations in TA-Lib's order wherever it has the indicator. The same
steps over whole columns are in `stream_columns`; a test holds the two together.

The layout of the state is here too, because a compiled function is kept until *this file* changes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tools.analytics.prices import Floats

CLOSES, SQUARES, VOLUMES = 256, 64, 64
"""Lengths of the rings: powers of two past 200 closes, 60 squared returns, 50 volumes."""
SHORT = 14
"""Bars of the stochastic's range."""
RESYNC = 10_000
"""Bars of a row after which plain running sums are added up anew."""
LOOSE = 1e-5
"""Share of what was squared below which a variance is added up anew around today's close."""
FLAT = 1e-24
"""Variance, as a share of the price squared, below which closes do not move (`trend.lines`)."""
FOURTEENTH = 1.0 / 14.0
SPREAD_X = 10412.5
"""Squares of 0 to 49 around their mean."""

# What a row remembers of the past, one number each.
(
    CLOSE, HIGH, LOW, TOTAL, STILL, OBV,
    SUM20, SUM50, SUM200,
    BAND_ANCHOR, BAND_SUM, BAND_SQUARES, BAND_PEAK,
    LINE_ANCHOR, LINE_SUM, LINE_CROSS, LINE_SQUARES, LINE_PEAK,
    EMA12, EMA26, FAST, SIGNAL,
    GAIN, LOSS, RANGE,
    UP, DOWN, TRUE, DX, ADX,
    K1, K2, K_SUM, D1, D2, D_SUM,
    VOL20, VOL20_REST, VOL20_NONE, VOL60, VOL60_REST, VOL60_NONE, SHARES, SHARES_REST,
    SHORT_HIGH, SHORT_LOW, YEAR_HIGH, YEAR_LOW,
    SCALARS,
) = range(49)  # fmt: skip

# What a row says at its last bar: the fields of the catalogue but the strength, and a t-value.
(
    O_CLOSE, O_OPEN, O_HIGH, O_LOW, O_VOLUME, O_CHANGE, O_RSI, O_MACD, O_SIGNAL, O_HISTOGRAM,
    O_SMA20, O_SMA50, O_SMA200, O_EMA12, O_EMA26, O_UPPER, O_MIDDLE, O_LOWER, O_BANDWIDTH,
    O_PERCENT_B, O_ATR, O_ATR_PERCENT, O_ADX, O_PLUS, O_MINUS, O_OBV, O_K, O_D, O_VOL20, O_VOL60,
    O_VOLUME_RATIO, O_SLOPE, O_R2, O_YEAR_HIGH, O_YEAR_LOW, O_FROM_HIGH, O_T,
    OUTPUTS,
) = range(38)  # fmt: skip


def advance(
    rows: NDArray[np.int64],
    ends: NDArray[np.int64],
    bars: Floats,
    rates: Floats,
    scalars: Floats,
    outputs: Floats,
    count: NDArray[np.int64],
    tick: NDArray[np.int64],
    closes: Floats,
    squares: Floats,
    volumes: Floats,
    short_highs: Floats,
    short_lows: Floats,
    year_highs: Floats,
    year_lows: Floats,
) -> None:
    """Take the bars `ends[i]` to `ends[i + 1]` of `bars` into row `rows[i]`, for every i.

    `bars` has the lines open, high, low, close, volume, total; `rates` says what annualises.
    """
    nan = math.nan
    year = year_highs.shape[0]
    for i in range(len(rows)):
        row = rows[i]
        for t in range(ends[i], ends[i + 1]):
            high, low, close, volume = bars[1, t], bars[2, t], bars[3, t], bars[4, t]
            n, k = count[row] + 1, tick[row]
            count[row], tick[row] = n, k + 1
            s, out = scalars[row], outputs[k & 1, row]
            before = s[CLOSE]
            closes[k & 255, row] = close
            out[O_CLOSE], out[O_OPEN], out[O_HIGH], out[O_LOW] = close, bars[0, t], high, low
            out[O_VOLUME] = volume
            rose = n > 1 and close > 0.0 and before > 0.0
            out[O_CHANGE] = 100.0 * (close / before - 1.0) if rose else nan

            # Simple averages: the sum of all but the oldest close waits for the next bar.
            if n % RESYNC == 0:
                s[SUM20], s[SUM50], s[SUM200] = 0.0, 0.0, 0.0
                for j in range(199, 0, -1):
                    one = closes[(k - j) & 255, row]
                    s[SUM200] += one
                    if j < 50:
                        s[SUM50] += one
                    if j < 20:
                        s[SUM20] += one
            s[SUM20] += close
            s[SUM50] += close
            s[SUM200] += close
            sma20, sma50, sma200 = nan, nan, nan
            if n >= 20:
                sma20 = s[SUM20] / 20.0
                s[SUM20] -= closes[(k - 19) & 255, row]
            if n >= 50:
                sma50 = s[SUM50] / 50.0
                s[SUM50] -= closes[(k - 49) & 255, row]
            if n >= 200:
                sma200 = s[SUM200] / 200.0
                s[SUM200] -= closes[(k - 199) & 255, row]
            out[O_SMA20], out[O_SMA50], out[O_SMA200] = sma20, sma50, sma200

            # Bollinger bands: squares around an anchor close by, so that they do not cancel.
            if n == 1:
                s[BAND_ANCHOR], s[LINE_ANCHOR] = close, close
            new = close - s[BAND_ANCHOR]
            s[BAND_SUM] += new
            s[BAND_SQUARES] += new * new
            s[BAND_PEAK] = max(s[BAND_PEAK], new * new)
            if n > 20:
                old = closes[(k - 20) & 255, row] - s[BAND_ANCHOR]
                s[BAND_SUM] -= old
                s[BAND_SQUARES] -= old * old
            upper, lower, bandwidth, percent_b = nan, nan, nan, nan
            if n >= 20:
                spread = s[BAND_SQUARES] - s[BAND_SUM] * s[BAND_SUM] / 20.0
                if n % 20 == 0 or spread < LOOSE * 20.0 * s[BAND_PEAK]:
                    s[BAND_ANCHOR], s[BAND_PEAK] = close, 0.0
                    s[BAND_SUM], s[BAND_SQUARES] = 0.0, 0.0
                    for j in range(19, -1, -1):
                        new = closes[(k - j) & 255, row] - close
                        s[BAND_SUM] += new
                        s[BAND_SQUARES] += new * new
                        s[BAND_PEAK] = max(s[BAND_PEAK], new * new)
                    spread = s[BAND_SQUARES] - s[BAND_SUM] * s[BAND_SUM] / 20.0
                reach = 2.0 * math.sqrt(max(spread, 0.0) / 20.0)
                upper, lower = sma20 + reach, sma20 - reach
                if sma20 > 0.0:
                    bandwidth = (upper - lower) / sma20
                if upper > lower:
                    percent_b = (close - lower) / (upper - lower)
            out[O_UPPER], out[O_MIDDLE], out[O_LOWER] = upper, sma20, lower
            out[O_BANDWIDTH], out[O_PERCENT_B] = bandwidth, percent_b

            # The line through 50 closes, x from 0; the same anchoring.
            new = close - s[LINE_ANCHOR]
            if n <= 50:
                s[LINE_CROSS] += (n - 1) * new
                s[LINE_SUM] += new
                s[LINE_SQUARES] += new * new
            else:
                old = closes[(k - 50) & 255, row] - s[LINE_ANCHOR]
                s[LINE_CROSS] += 49.0 * new - (s[LINE_SUM] - old)
                s[LINE_SUM] += new - old
                s[LINE_SQUARES] += new * new - old * old
            s[LINE_PEAK] = max(s[LINE_PEAK], new * new)
            slope, r2, t_value = nan, nan, nan
            if n >= 50:
                spread = s[LINE_SQUARES] - s[LINE_SUM] * s[LINE_SUM] / 50.0
                if n % 50 == 0 or spread < LOOSE * 50.0 * s[LINE_PEAK]:
                    s[LINE_ANCHOR], s[LINE_PEAK] = close, 0.0
                    s[LINE_SUM], s[LINE_CROSS], s[LINE_SQUARES] = 0.0, 0.0, 0.0
                    for j in range(50):
                        new = closes[(k - 49 + j) & 255, row] - close
                        s[LINE_SUM] += new
                        s[LINE_CROSS] += j * new
                        s[LINE_SQUARES] += new * new
                        s[LINE_PEAK] = max(s[LINE_PEAK], new * new)
                    spread = s[LINE_SQUARES] - s[LINE_SUM] * s[LINE_SUM] / 50.0
                mean = s[LINE_ANCHOR] + s[LINE_SUM] / 50.0
                slope, r2, t_value = 0.0, 0.0, 0.0
                if spread > 50.0 * FLAT * mean * mean:
                    cross = s[LINE_CROSS] - 24.5 * s[LINE_SUM]
                    slope = cross / SPREAD_X
                    r2 = min(cross * cross / (SPREAD_X * spread), 1.0)
                    t_value = math.sqrt(r2 * 48.0 / max(1.0 - r2, 1e-15))
                    if cross < 0.0:
                        t_value = -t_value
            out[O_SLOPE], out[O_R2], out[O_T] = slope, r2, t_value

            # Exponential averages, each begun with a simple one; MACD's fast one begins at bar 26.
            ema12, ema26, macd, signal, histogram = nan, nan, nan, nan, nan
            if n > 12:
                s[EMA12] = (close - s[EMA12]) * (2.0 / 13.0) + s[EMA12]
                ema12 = s[EMA12]
            else:
                s[EMA12] += close
                if n == 12:
                    s[EMA12] /= 12.0
                    ema12 = s[EMA12]
            if n > 26:
                s[EMA26] = (close - s[EMA26]) * (2.0 / 27.0) + s[EMA26]
                s[FAST] = (close - s[FAST]) * (2.0 / 13.0) + s[FAST]
                ema26 = s[EMA26]
            else:
                s[EMA26] += close
                if n > 14:
                    s[FAST] += close
                if n == 26:
                    s[EMA26] /= 26.0
                    s[FAST] /= 12.0
                    ema26 = s[EMA26]
            if n >= 26:
                gap = s[FAST] - s[EMA26]
                if n > 34:
                    s[SIGNAL] = (gap - s[SIGNAL]) * 0.2 + s[SIGNAL]
                else:
                    s[SIGNAL] += gap
                    if n == 34:
                        s[SIGNAL] /= 9.0
                if n >= 34:
                    macd, signal, histogram = gap, s[SIGNAL], gap - s[SIGNAL]
            out[O_EMA12], out[O_EMA26], out[O_MACD] = ema12, ema26, macd
            out[O_SIGNAL], out[O_HISTOGRAM] = signal, histogram

            # Wilder: RSI, ATR, directional movement.
            rsi, atr, plus, minus, adx = nan, nan, nan, nan, nan
            if n > 1:
                move = close - before
                s[STILL] = s[STILL] + 1.0 if move == 0.0 else 0.0
                reach = max(high - low, abs(high - before), abs(low - before))
                rise, fall = high - s[HIGH], s[LOW] - low
                gain, loss = max(move, 0.0), max(-move, 0.0)
                if n <= 15:
                    s[GAIN] += gain
                    s[LOSS] += loss
                    s[RANGE] += reach
                    if n == 15:
                        s[GAIN] /= 14.0
                        s[LOSS] /= 14.0
                        s[RANGE] /= 14.0
                else:
                    s[GAIN] = (s[GAIN] * 13.0 + gain) * FOURTEENTH
                    s[LOSS] = (s[LOSS] * 13.0 + loss) * FOURTEENTH
                    s[RANGE] = (s[RANGE] * 13.0 + reach) * FOURTEENTH
                if n >= 15:
                    both = s[GAIN] + s[LOSS]
                    rsi = 100.0 * (s[GAIN] / both) if both > 0.0 else 0.0
                    if rsi == 0.0 and s[STILL] >= 14.0:
                        rsi = 50.0
                    atr = s[RANGE]
                    s[UP] -= s[UP] * FOURTEENTH
                    s[DOWN] -= s[DOWN] * FOURTEENTH
                    s[TRUE] -= s[TRUE] * FOURTEENTH
                if fall > 0.0 and rise < fall:
                    s[DOWN] += fall
                elif rise > 0.0 and rise > fall:
                    s[UP] += rise
                s[TRUE] += reach
                if n >= 15:
                    plus, minus = 0.0, 0.0
                    if s[TRUE] > 0.0:
                        plus, minus = 100.0 * (s[UP] / s[TRUE]), 100.0 * (s[DOWN] / s[TRUE])
                    if plus + minus > 0.0:
                        directed = 100.0 * (abs(minus - plus) / (plus + minus))
                        if n <= 28:
                            s[ADX] += directed
                        else:
                            s[ADX] = (s[ADX] * 13.0 + directed) * FOURTEENTH
                    if n == 28:
                        s[ADX] /= 14.0
                    if n >= 28:
                        adx = s[ADX]
            out[O_RSI], out[O_ATR] = rsi, atr
            out[O_ATR_PERCENT] = 100.0 * atr / close if close > 0.0 else nan
            out[O_PLUS], out[O_MINUS], out[O_ADX] = plus, minus, adx

            # Volume: on balance, and against the mean of the 50 bars before.
            if n == 1:
                s[OBV] = volume
            elif close > before:
                s[OBV] += volume
            elif close < before:
                s[OBV] -= volume
            usual = (s[SHARES] + s[SHARES_REST]) / 50.0
            out[O_OBV] = s[OBV]
            out[O_VOLUME_RATIO] = volume / usual if n > 50 and usual > 0.0 else nan
            volumes[k & 63, row] = volume
            _add(s, SHARES, volume)
            if n > 50:
                _add(s, SHARES, -volumes[(k - 50) & 63, row])

            # Realised volatility, of returns with dividends where the history tells them.
            total = bars[5, t]
            vol20, vol60 = nan, nan
            if n > 1:
                # No return leads from or to a price of zero or less: -1 stands for it.
                square = -1.0
                if total > 0.0 and s[TOTAL] > 0.0:
                    change = math.log1p((total - s[TOTAL]) / s[TOTAL])
                    square = change * change
                squares[k & 63, row] = square
                _count(s, VOL20, VOL20_NONE, square, 1.0)
                _count(s, VOL60, VOL60_NONE, square, 1.0)
                if n > 21:
                    _count(s, VOL20, VOL20_NONE, squares[(k - 20) & 63, row], -1.0)
                if n > 61:
                    _count(s, VOL60, VOL60_NONE, squares[(k - 60) & 63, row], -1.0)
                if n > 20 and s[VOL20_NONE] == 0.0:
                    vol20 = rates[0] * math.sqrt(max(s[VOL20] + s[VOL20_REST], 0.0) / 20.0)
                if n > 60 and s[VOL60_NONE] == 0.0:
                    vol60 = rates[0] * math.sqrt(max(s[VOL60] + s[VOL60_REST], 0.0) / 60.0)
            out[O_VOL20], out[O_VOL60] = vol20, vol60

            # Extremes of the last 14 bars and of 52 weeks, and the stochastic.
            top = _extreme(short_highs, row, k % SHORT, high, s, SHORT_HIGH, 1.0)
            bottom = _extreme(short_lows, row, k % SHORT, low, s, SHORT_LOW, -1.0)
            slow_k, slow_d = nan, nan
            if n >= 14:
                width = (top - bottom) / 100.0
                fast = (close - bottom) / width if width != 0.0 else 0.0
                s[K_SUM] += fast
                if n >= 16:
                    average = s[K_SUM] / 3.0
                    s[K_SUM] -= s[K2]
                    s[D_SUM] += average
                    if n >= 18:
                        slow_k, slow_d = average, s[D_SUM] / 3.0
                        s[D_SUM] -= s[D2]
                    s[D2], s[D1] = s[D1], average
                s[K2], s[K1] = s[K1], fast
            out[O_K], out[O_D] = slow_k, slow_d
            highest, lowest, below = nan, nan, nan
            if year > 0:
                top = _extreme(year_highs, row, k % year, high, s, YEAR_HIGH, 1.0)
                bottom = _extreme(year_lows, row, k % year, low, s, YEAR_LOW, -1.0)
                if n >= year:
                    highest, lowest = top, bottom
                    if close > 0.0:
                        below = 100.0 * (close / top - 1.0)
            out[O_YEAR_HIGH], out[O_YEAR_LOW], out[O_FROM_HIGH] = highest, lowest, below
            s[CLOSE], s[HIGH], s[LOW], s[TOTAL] = close, high, low, total


def _add(s: Floats, place: int, value: float) -> None:
    """Add to a sum whose next place keeps what rounding lost, so that it never drifts."""
    total = s[place] + value
    part = total - s[place]
    s[place + 1] += (s[place] - (total - part)) + (value - part)
    s[place] = total


def _count(s: Floats, place: int, none: int, square: float, sign: float) -> None:
    """Add a square to a sum (sign 1) or take it away (-1); one that is not there is counted."""
    if square < 0.0:
        s[none] += sign
    else:
        _add(s, place, sign * square)


def _extreme(
    block: Floats, row: int, place: int, value: float, s: Floats, running: int, sign: float
) -> float:
    """Return the highest (sign 1) or lowest (-1) of as many bars as `block` has lines.

    When a block begins, the one before is turned into the extremes from each place to its end.
    """
    length = block.shape[0]
    if place == 0:
        for j in range(length - 2, -1, -1):
            if sign * block[j + 1, row] > sign * block[j, row]:
                block[j, row] = block[j + 1, row]
        s[running] = value
    elif sign * value > sign * s[running]:
        s[running] = value
    block[place, row] = value
    found: float = s[running]
    if place + 1 < length and sign * block[place + 1, row] > sign * found:
        found = block[place + 1, row]
    return found
