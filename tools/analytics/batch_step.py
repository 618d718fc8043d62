"""Ten indicators of many instruments in one pass over their prices, as a compiler likes it.

Each price is read once and each value written once, which is what makes it faster than a call per
indicator: both are bound by memory. TA-Lib's definitions; see `batch` for the door.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tools.analytics.prices import Floats

SMA, EMA, RSI, MACD, SIGNAL, HISTOGRAM, UPPER, MIDDLE, LOWER, ATR, OUTPUTS = range(11)
LOOSE = 1e-5
"""Share of what was squared below which a variance is added up anew around today's close."""
STRETCH = 64
KEPT, ADDED = 13.0 / 14.0, 1.0 / 14.0
WARM = 35
"""Bars after which every value is there and every average has begun."""


def fuse(high: Floats, low: Floats, close: Floats, lengths: NDArray[np.int64], out: Floats) -> None:
    """Fill `out` (OUTPUTS x instruments x bars) for the first `lengths[i]` bars of each row."""
    rises, falls, spans = np.empty(STRETCH), np.empty(STRETCH), np.empty(STRETCH)
    steps, turns, sums = np.empty(STRETCH), np.empty(STRETCH), np.empty(STRETCH)
    averages, gaps, nines = np.empty(STRETCH), np.empty(STRETCH), np.empty(STRETCH)
    for row in range(close.shape[0]):
        h, lo, c = high[row], low[row], close[row]
        sma, ema, rsi, macd = out[SMA, row], out[EMA, row], out[RSI, row], out[MACD, row]
        signal, histogram = out[SIGNAL, row], out[HISTOGRAM, row]
        upper, middle, lower, atr = (
            out[UPPER, row], out[MIDDLE, row], out[LOWER, row], out[ATR, row],
        )  # fmt: skip
        count = lengths[row]
        out[:, row, : min(WARM, count)] = math.nan
        out[:, row, count:] = math.nan
        if count == 0:
            continue

        # What was before the first bar.
        anchor, peak, sum_around, squares = c[0], 0.0, 0.0, 0.0
        total, ema20, fast, slow, nine = 0.0, 0.0, 0.0, 0.0, 0.0
        gain, loss, reach = 0.0, 0.0, 0.0
        before = c[0]
        for t in range(min(WARM, count)):
            now = c[t]
            # Simple average and bands.
            total += now
            new = now - anchor
            sum_around += new
            squares += new * new
            peak = max(peak, new * new)
            if t >= 20:
                old = c[t - 20] - anchor
                sum_around -= old
                squares -= old * old
            if t >= 19:
                spread = squares - sum_around * sum_around * 0.05
                if spread < LOOSE * 20.0 * peak:
                    anchor, sum_around, squares, peak = now, *_around(c, t, now)
                    spread = squares - sum_around * sum_around * 0.05
                mean = total / 20.0
                total -= c[t - 19]
                width = 2.0 * math.sqrt(max(spread, 0.0) * 0.05)
                sma[t], middle[t], upper[t], lower[t] = mean, mean, mean + width, mean - width
            # Exponential averages.
            if t > 19:
                ema20 = (now - ema20) * (2.0 / 21.0) + ema20
                ema[t] = ema20
            else:
                ema20 += now
                if t == 19:
                    ema20 /= 20.0
                    ema[t] = ema20
            if t > 25:
                fast = (now - fast) * (2.0 / 13.0) + fast
                slow = (now - slow) * (2.0 / 27.0) + slow
            else:
                slow += now
                if t > 13:
                    fast += now
                if t == 25:
                    slow /= 26.0
                    fast /= 12.0
            if t > 33:
                gap = fast - slow
                nine = (gap - nine) * 0.2 + nine
                macd[t], signal[t], histogram[t] = gap, nine, gap - nine
            elif t > 24:
                gap = fast - slow
                nine += gap
                if t == 33:
                    nine /= 9.0
                    macd[t], signal[t], histogram[t] = gap, nine, gap - nine
            # Wilder's averages.
            move = now - before
            rise, fall = max(move, 0.0), max(-move, 0.0)
            span = max(h[t] - lo[t], max(abs(h[t] - before), abs(lo[t] - before)))
            if t > 14:
                gain = (gain * 13.0 + rise) / 14.0
                loss = (loss * 13.0 + fall) / 14.0
                reach = (reach * 13.0 + span) / 14.0
            elif t > 0:
                gain += rise
                loss += fall
                reach += span
                if t == 14:
                    gain /= 14.0
                    loss /= 14.0
                    reach /= 14.0
            if t >= 14:
                both = gain + loss
                value = 100.0 * (gain / both) if both > 0.0 else 0.0
                rsi[t] = 50.0 if value == 0.0 and _still(c, t) else value
                atr[t] = reach
            before = now

        # From here on nothing begins any more. A stretch at a time: what bars owe to nobody, which
        # a compiler does several at once; what each owes to the one before; and the rest at once.
        for first in range(WARM, count, STRETCH):
            length = min(STRETCH, count - first)
            x = c[first - 20 : first + length]  # x[j + 20] is the close of bar first + j
            anchor = x[19]
            sum_around, squares, peak = _around(x, 19, anchor)
            tops, lows = h[first : first + length], lo[first : first + length]
            for j in range(length):
                now, before = x[j + 20], x[j + 19]
                move = now - before
                rises[j], falls[j] = max(move, 0.0), max(-move, 0.0)
                spans[j] = max(tops[j] - lows[j], max(abs(tops[j] - before), abs(lows[j] - before)))
                new, old = now - anchor, x[j] - anchor
                steps[j], turns[j] = new - old, new * new - old * old
            least, lowest = math.inf, math.inf
            for j in range(length):
                now = x[j + 20]
                total += now
                sums[j] = total
                total -= x[j + 1]
                sum_around += steps[j]
                squares += turns[j]
                peak = max(peak, (now - anchor) * (now - anchor))
                turns[j] = squares - sum_around * sum_around * 0.05
                least = min(least, turns[j])
                ema20 = (now - ema20) * (2.0 / 21.0) + ema20
                fast = (now - fast) * (2.0 / 13.0) + fast
                slow = (now - slow) * (2.0 / 27.0) + slow
                gap = fast - slow
                nine = (gap - nine) * 0.2 + nine
                averages[j], gaps[j], nines[j] = ema20, gap, nine
                gain = gain * KEPT + rises[j] * ADDED
                loss = loss * KEPT + falls[j] * ADDED
                reach = reach * KEPT + spans[j] * ADDED
                rises[j], falls[j], spans[j] = gain, loss, reach
                lowest = min(lowest, gain)
            to = first + length
            sma, middle = out[SMA, row, first:to], out[MIDDLE, row, first:to]
            upper, lower = out[UPPER, row, first:to], out[LOWER, row, first:to]
            ema, rsi, atr = (
                out[EMA, row, first:to],
                out[RSI, row, first:to],
                out[ATR, row, first:to],
            )
            macd, signal = out[MACD, row, first:to], out[SIGNAL, row, first:to]
            histogram = out[HISTOGRAM, row, first:to]
            if least < LOOSE * 20.0 * peak:
                for j in range(length):
                    sum_around, squares, peak = _around(x, j + 20, x[j + 20])
                    turns[j] = squares - sum_around * sum_around * 0.05
            for j in range(length):
                mean = sums[j] * 0.05
                width = 2.0 * math.sqrt(max(turns[j], 0.0) * 0.05)
                sma[j], middle[j], upper[j], lower[j] = mean, mean, mean + width, mean - width
                ema[j], atr[j] = averages[j], spans[j]
                macd[j], signal[j], histogram[j] = gaps[j], nines[j], gaps[j] - nines[j]
                rsi[j] = 100.0 * (rises[j] / (rises[j] + falls[j]))
            if not lowest > 0.0:
                for j in range(length):
                    if not rises[j] > 0.0:
                        rsi[j] = 50.0 if _still(c, first + j) else 0.0


def _around(close: Floats, t: int, anchor: float) -> tuple[float, float, float]:
    """Return the sum and the squares of the 20 closes up to `t`, less `anchor`, and the largest."""
    total, squares, peak = 0.0, 0.0, 0.0
    for j in range(t - 19, t + 1):
        new = close[j] - anchor
        total += new
        squares += new * new
        peak = max(peak, new * new)
    return total, squares, peak


def _still(close: Floats, t: int) -> bool:
    """Return whether the last 14 closes are all like the one before them."""
    for j in range(t - 13, t + 1):  # noqa: SIM110 - numba has no all() of a generator
        if close[j] != close[j - 1]:
            return False
    return True
