"""One bar of many rows at once, in numpy: what `stream_step` does, operation by operation.

For desks without numba. Every number comes out as there, up to the last bit of a logarithm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.analytics import stream_step as step
from tools.analytics.prices import Floats
from tools.analytics.stream_state import State

Rows = NDArray[np.int64]


@dataclass(eq=False)
class _Bar:
    """One bar a row, and what the rows remember: `s` is line by line what `step` calls it."""

    state: State
    rows: Rows
    count: Rows
    """Bars with this one."""
    tick: Rows
    s: Floats
    out: Floats
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    total: Floats

    def past(self, ring: Floats, back: int) -> Floats:
        """Return what a ring holds of the bar `back` bars ago."""
        return ring[(self.tick - back) % len(ring), self.rows]

    def when(self, bars: int, value: Floats) -> Floats:
        """Return `value` for the rows that have so many bars, NaN for the others."""
        return np.where(self.count >= bars, value, np.nan)


def advance(rows: Rows, bars: Floats, annual: float, state: State) -> None:
    """Take one bar into each of `rows`, no row twice; `bars` is 6 x rows as in `step.advance`."""
    tick = state.tick[rows]
    bar = _Bar(
        state,
        rows,
        state.count[rows] + 1,
        tick,
        np.ascontiguousarray(state.scalars[rows].T),
        np.empty((step.OUTPUTS, len(rows))),
        *bars,
    )
    state.closes[tick % step.CLOSES, rows] = bar.close
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        _prices(bar)
        _simple_averages(bar)
        _bands(bar)
        _line(bar)
        _exponential_averages(bar)
        _wilder(bar)
        _volume(bar)
        _volatility(bar, annual)
        _stochastic(bar)
        _year(bar)
    bar.s[[step.CLOSE, step.HIGH, step.LOW, step.TOTAL]] = bar.close, bar.high, bar.low, bar.total
    state.scalars[rows] = bar.s.T
    state.outputs[tick % 2, rows] = bar.out.T
    state.count[rows] += 1
    state.tick[rows] += 1


def _prices(bar: _Bar) -> None:
    out = bar.out
    out[step.O_CLOSE], out[step.O_OPEN], out[step.O_HIGH] = bar.close, bar.open, bar.high
    out[step.O_LOW], out[step.O_VOLUME] = bar.low, bar.volume
    out[step.O_CHANGE] = bar.when(2, _percent(bar.close, bar.s[step.CLOSE]))


def _simple_averages(bar: _Bar) -> None:
    s, ring = bar.s, bar.state.closes
    windows = ((step.SUM20, 20, step.O_SMA20), (step.SUM50, 50, step.O_SMA50),
               (step.SUM200, 200, step.O_SMA200))  # fmt: skip
    late = np.flatnonzero(bar.count % step.RESYNC == 0)
    for place, bars, output in windows:
        if len(late):
            s[place, late] = 0.0
            for back in range(bars - 1, 0, -1):
                s[place, late] += bar.past(ring, back)[late]
        s[place] += bar.close
        bar.out[output] = bar.when(bars, s[place] / bars)
        s[place] -= np.where(bar.count >= bars, bar.past(ring, bars - 1), 0.0)


def _bands(bar: _Bar) -> None:
    s, out, ring = bar.s, bar.out, bar.state.closes
    anchor, total, squares, peak = (
        step.BAND_ANCHOR, step.BAND_SUM, step.BAND_SQUARES, step.BAND_PEAK,
    )  # fmt: skip
    s[anchor] = np.where(bar.count == 1, bar.close, s[anchor])
    new = bar.close - s[anchor]
    s[total] += new
    s[squares] += new * new
    s[peak] = np.maximum(s[peak], new * new)
    old = np.where(bar.count > 20, bar.past(ring, 20) - s[anchor], 0.0)
    s[total] -= old
    s[squares] -= old * old
    spread = s[squares] - s[total] * s[total] / 20.0
    again = (bar.count % 20 == 0) | (spread < step.LOOSE * 20.0 * s[peak])
    anew = np.flatnonzero(again & (bar.count >= 20))
    if len(anew):
        close = bar.close[anew]
        for place in (total, squares, peak):
            s[place, anew] = 0.0
        s[anchor, anew] = close
        for back in range(19, -1, -1):
            new = bar.past(ring, back)[anew] - close
            s[total, anew] += new
            s[squares, anew] += new * new
            s[peak, anew] = np.maximum(s[peak, anew], new * new)
        spread[anew] = s[squares, anew] - s[total, anew] * s[total, anew] / 20.0
    middle = out[step.O_SMA20]
    reach = 2.0 * np.sqrt(np.maximum(spread, 0.0) / 20.0)
    upper, lower = middle + reach, middle - reach
    width = upper - lower
    out[step.O_UPPER], out[step.O_MIDDLE], out[step.O_LOWER] = upper, middle, lower
    out[step.O_BANDWIDTH] = np.where(middle > 0.0, width / middle, np.nan)
    out[step.O_PERCENT_B] = np.where(width > 0.0, (bar.close - lower) / width, np.nan)


def _line(bar: _Bar) -> None:
    s, out, ring, n = bar.s, bar.out, bar.state.closes, bar.count
    anchor, total, crosses, squares, peak = (
        step.LINE_ANCHOR, step.LINE_SUM, step.LINE_CROSS, step.LINE_SQUARES, step.LINE_PEAK,
    )  # fmt: skip
    s[anchor] = np.where(n == 1, bar.close, s[anchor])
    new = bar.close - s[anchor]
    full = n > 50
    old = np.where(full, bar.past(ring, 50) - s[anchor], 0.0)
    s[crosses] += np.where(full, 49.0 * new - (s[total] - old), (n - 1) * new)
    s[total] += np.where(full, new - old, new)
    s[squares] += np.where(full, new * new - old * old, new * new)
    s[peak] = np.maximum(s[peak], new * new)
    spread = s[squares] - s[total] * s[total] / 50.0
    again = (n % 50 == 0) | (spread < step.LOOSE * 50.0 * s[peak])
    anew = np.flatnonzero(again & (n >= 50))
    if len(anew):
        close = bar.close[anew]
        for place in (total, crosses, squares, peak):
            s[place, anew] = 0.0
        s[anchor, anew] = close
        for j in range(50):
            new = bar.past(ring, 49 - j)[anew] - close
            s[total, anew] += new
            s[crosses, anew] += j * new
            s[squares, anew] += new * new
            s[peak, anew] = np.maximum(s[peak, anew], new * new)
        spread[anew] = s[squares, anew] - s[total, anew] * s[total, anew] / 50.0
    mean = s[anchor] + s[total] / 50.0
    moves = spread > 50.0 * step.FLAT * mean * mean
    cross = s[crosses] - 24.5 * s[total]
    r2 = np.where(moves, np.minimum(cross * cross / (step.SPREAD_X * spread), 1.0), 0.0)
    t_value = np.sqrt(r2 * 48.0 / np.maximum(1.0 - r2, 1e-15))
    out[step.O_SLOPE] = bar.when(50, np.where(moves, cross / step.SPREAD_X, 0.0))
    out[step.O_R2] = bar.when(50, r2)
    out[step.O_T] = bar.when(50, np.where(cross < 0.0, -t_value, t_value))


def _exponential_averages(bar: _Bar) -> None:
    s, out, n, close = bar.s, bar.out, bar.count, bar.close

    def average(place: int, value: Floats, first: int, bars: int) -> Floats:
        """Sum from bar `first` on, mean after `bars` of them, exponential from then on."""
        begun = first + bars - 1
        held = s[place]
        grown = np.where(n >= first, held + value, held)
        grown = np.where(n == begun, grown / bars, grown)
        s[place] = np.where(n > begun, (value - held) * (2.0 / (bars + 1)) + held, grown)
        return bar.when(begun, s[place])

    out[step.O_EMA12] = average(step.EMA12, close, 1, 12)
    out[step.O_EMA26] = slow = average(step.EMA26, close, 1, 26)
    gap = average(step.FAST, close, 15, 12) - slow
    signal = average(step.SIGNAL, np.where(n >= 26, gap, 0.0), 26, 9)
    out[step.O_MACD], out[step.O_SIGNAL] = bar.when(34, gap), signal
    out[step.O_HISTOGRAM] = bar.when(34, gap - signal)


def _wilder(bar: _Bar) -> None:
    s, out, n = bar.s, bar.out, bar.count
    begun, first = n > 1, n <= 15
    before = s[step.CLOSE]
    move = np.where(begun, bar.close - before, 0.0)
    s[step.STILL] = np.where(begun & (move == 0.0), s[step.STILL] + 1.0, 0.0)
    reach = np.maximum(bar.high - bar.low, np.abs(bar.high - before))
    reach = np.where(begun, np.maximum(reach, np.abs(bar.low - before)), 0.0)
    for place, value in (
        (step.GAIN, np.maximum(move, 0.0)),
        (step.LOSS, np.maximum(-move, 0.0)),
        (step.RANGE, reach),
    ):
        grown = s[place] + value
        grown = np.where(n == 15, grown / 14.0, grown)
        s[place] = np.where(first, grown, (s[place] * 13.0 + value) * step.FOURTEENTH)
    both = s[step.GAIN] + s[step.LOSS]
    rsi = np.where(both > 0.0, 100.0 * (s[step.GAIN] / both), 0.0)
    rsi = np.where((rsi == 0.0) & (s[step.STILL] >= 14.0), 50.0, rsi)
    out[step.O_RSI], out[step.O_ATR] = bar.when(15, rsi), bar.when(15, s[step.RANGE])
    share = 100.0 * out[step.O_ATR] / bar.close
    out[step.O_ATR_PERCENT] = np.where(bar.close > 0.0, share, np.nan)

    rise = np.where(begun, bar.high - s[step.HIGH], 0.0)
    fall = np.where(begun, s[step.LOW] - bar.low, 0.0)
    for place, value in (
        (step.UP, np.where((rise > 0.0) & (rise > fall), rise, 0.0)),
        (step.DOWN, np.where((fall > 0.0) & (rise < fall), fall, 0.0)),
        (step.TRUE, reach),
    ):
        s[place] -= np.where(n >= 15, s[place] * step.FOURTEENTH, 0.0)
        s[place] += value
    moved = s[step.TRUE] > 0.0
    plus = bar.when(15, np.where(moved, 100.0 * (s[step.UP] / s[step.TRUE]), 0.0))
    minus = bar.when(15, np.where(moved, 100.0 * (s[step.DOWN] / s[step.TRUE]), 0.0))
    directed = 100.0 * (np.abs(minus - plus) / (plus + minus))
    held = s[step.ADX]
    grown = np.where(n <= 28, held + directed, (held * 13.0 + directed) * step.FOURTEENTH)
    grown = np.where(plus + minus > 0.0, grown, held)
    s[step.ADX] = np.where(n == 28, grown / 14.0, grown)
    out[step.O_PLUS], out[step.O_MINUS] = plus, minus
    out[step.O_ADX] = bar.when(28, s[step.ADX])


def _volume(bar: _Bar) -> None:
    s, n, ring = bar.s, bar.count, bar.state.volumes
    signed = np.where(bar.close > s[step.CLOSE], bar.volume, 0.0)
    signed = np.where(bar.close < s[step.CLOSE], -bar.volume, signed)
    s[step.OBV] = np.where(n == 1, bar.volume, s[step.OBV] + signed)
    bar.out[step.O_OBV] = s[step.OBV]
    usual = (s[step.SHARES] + s[step.SHARES_REST]) / 50.0
    bar.out[step.O_VOLUME_RATIO] = np.where((n > 50) & (usual > 0.0), bar.volume / usual, np.nan)
    ring[bar.tick % step.VOLUMES, bar.rows] = bar.volume
    _add(s, step.SHARES, bar.volume)
    _add(s, step.SHARES, np.where(n > 50, -bar.past(ring, 50), 0.0))


def _volatility(bar: _Bar, annual: float) -> None:
    s, ring = bar.s, bar.state.squares
    before = s[step.TOTAL]
    there = (bar.total > 0.0) & (before > 0.0)
    change = np.log1p(np.where(there, (bar.total - before) / before, 0.0))
    square = np.where(there, change * change, -1.0)
    square = np.where(bar.count > 1, square, 0.0)
    ring[bar.tick % step.SQUARES, bar.rows] = square
    for place, rest, none, bars, output in (
        (step.VOL20, step.VOL20_REST, step.VOL20_NONE, 20, step.O_VOL20),
        (step.VOL60, step.VOL60_REST, step.VOL60_NONE, 60, step.O_VOL60),
    ):
        gone = np.where(bar.count > bars + 1, bar.past(ring, bars), 0.0)
        _add(s, place, np.maximum(square, 0.0))
        _add(s, place, -np.maximum(gone, 0.0))
        s[none] += (square < 0.0).astype(np.float64) - (gone < 0.0)
        mean = np.maximum(s[place] + s[rest], 0.0) / bars
        whole = np.where(s[none] == 0.0, annual * np.sqrt(mean), np.nan)
        bar.out[output] = bar.when(bars + 1, whole)


def _stochastic(bar: _Bar) -> None:
    s, n, state = bar.s, bar.count, bar.state
    top = _extreme(bar, state.short_highs, bar.high, step.SHORT_HIGH, 1.0)
    bottom = _extreme(bar, state.short_lows, bar.low, step.SHORT_LOW, -1.0)
    width = (top - bottom) / 100.0
    fast = np.where((n >= 14) & (width != 0.0), (bar.close - bottom) / width, 0.0)
    s[step.K_SUM] += fast
    slow_k = s[step.K_SUM] / 3.0
    average = np.where(n >= 16, slow_k, 0.0)
    s[step.K_SUM] -= np.where(n >= 16, s[step.K2], 0.0)
    s[step.D_SUM] += average
    slow_d = s[step.D_SUM] / 3.0
    s[step.D_SUM] -= np.where(n >= 18, s[step.D2], 0.0)
    s[step.D2], s[step.D1] = np.where(n >= 16, s[step.D1], 0.0), average
    s[step.K2], s[step.K1] = np.where(n >= 14, s[step.K1], 0.0), fast
    bar.out[step.O_K], bar.out[step.O_D] = bar.when(18, slow_k), bar.when(18, slow_d)


def _year(bar: _Bar) -> None:
    highs, lows = bar.state.year_highs, bar.state.year_lows
    if not len(highs):
        bar.out[[step.O_YEAR_HIGH, step.O_YEAR_LOW, step.O_FROM_HIGH]] = np.nan
        return
    top = bar.when(len(highs), _extreme(bar, highs, bar.high, step.YEAR_HIGH, 1.0))
    bottom = bar.when(len(lows), _extreme(bar, lows, bar.low, step.YEAR_LOW, -1.0))
    bar.out[step.O_YEAR_HIGH], bar.out[step.O_YEAR_LOW] = top, bottom
    bar.out[step.O_FROM_HIGH] = _percent(bar.close, top)


def _percent(now: Floats, then: Floats) -> Floats:
    found: Floats = np.where((now > 0.0) & (then > 0.0), 100.0 * (now / then - 1.0), np.nan)
    return found


def _add(s: Floats, place: int, value: Floats) -> None:
    total = s[place] + value
    part = total - s[place]
    s[place + 1] += (s[place] - (total - part)) + (value - part)
    s[place] = total


def _extreme(bar: _Bar, block: Floats, value: Floats, running: int, sign: float) -> Floats:
    length, s = len(block), bar.s
    place = bar.tick % length
    better = np.maximum if sign > 0 else np.minimum
    fresh = place == 0
    begun = bar.rows[fresh]
    if len(begun):
        block[:, begun] = better.accumulate(block[::-1, begun], axis=0)[::-1]
    s[running] = np.where(fresh, value, better(s[running], value))
    block[place, bar.rows] = value
    following = block[np.minimum(place + 1, length - 1), bar.rows]
    found: Floats = np.where(place + 1 < length, better(s[running], following), s[running])
    return found
