"""When each of the seven kinds of signal fires, decided at the close of a bar from bars up to it.

Pure rules over whole histories: `fire` returns every firing, so that what followed the earlier
ones can be counted and the newest ones shown. A rule at bar t reads nothing after t and nothing
older than about `MEMORY` bars, so that a long history, the same cut at its end, and its newest
bars all say the same about a bar; the tests cut, replay and poison to prove it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tools.analytics import rolling, variance
from tools.analytics.composite import CALL, Composite
from tools.analytics.firings import VALID_BARS, Firing, Side, SignalType, Variant, active
from tools.analytics.indicators import Indicators
from tools.analytics.prices import Floats, Prices
from tools.analytics.rolling import crosses, lagged
from tools.analytics.ta_lib import talib
from tools.analytics.trend import lines

__all__ = ["VALID_BARS", "Firing", "SignalType", "active", "fire"]

MEMORY = 1_250
"""Bars that "own percentile", "own drift" and "own base rate" look back: about five years."""
LEAST = 250
"""Bars, about a year, without which none of those is taken."""
CHANDELIER = (22, 3.0)
"""Exit when the close falls through a line 3 ATR (22) below the highest high of 22 bars."""
BURST, SQUEEZE = 0.75, 0.05
"""Percentiles of one's own past: of 5-bar variance, and of the width of the bands."""


def fire(prices: Prices, indicators: Indicators, composite: Composite) -> list[Firing]:
    """Return every firing over the whole history, oldest first."""
    firings = [
        *_entries_and_exits(prices, composite.strength),
        *_trend_changes(prices, indicators),
        *_volatility(prices, indicators),
        *_volume_spikes(prices),
        *_breakouts(prices, indicators),
        *_reversals(prices, indicators),
    ]
    return sorted(firings, key=lambda firing: (firing.bar, firing.like))


def _entries_and_exits(prices: Prices, strength: Floats) -> Iterator[Firing]:
    """An entry is open for 20 bars from the newest crossing of ±30, or until an exit."""
    bars, width = CHANDELIER
    atr = _atr(prices, bars)
    stops = {
        1: prices.close - (rolling.highest(prices.high, bars) - width * atr),
        -1: rolling.lowest(prices.low, bars) + width * atr - prices.close,
    }
    room = {side: values.tolist() for side, values in stops.items()}
    listed = strength.tolist()
    side, since = 0, 0
    for bar in range(1, len(listed)):
        before, now = listed[bar - 1], listed[bar]
        if before != before:  # NaN
            continue
        if side:
            lost = now * side <= 0.0
            stopped = room[side][bar] < 0.0 <= room[side][bar - 1]
            if lost or stopped:
                yield _exit(bar, -side, now, room[side][bar] / atr[bar], lost, bar - since)
                side = 0
            elif bar - since >= VALID_BARS["entry"]:
                side = 0
        for up in (1, -1):
            if now * up >= CALL > before * up:
                side, since = up, bar
                yield Firing(
                    type="entry",
                    bar=bar,
                    side=_side(up),
                    strength=float(now),
                    reason=f"the strength crossed {'+' if up > 0 else '-'}{CALL:.0f}",
                )


def _exit(bar: int, side: int, now: float, room: float, lost: bool, held: int) -> Firing:
    """The strength of an exit is S where S turned, else how far the close fell through, in ATR."""
    if lost:
        why, strength = "the strength crossed zero", float(now)
    else:
        why = f"the close {'fell' if side < 0 else 'rose'} through its stop"
        strength = side * _size(-room)
    return Firing(
        type="exit",
        bar=bar,
        side=_side(side),
        strength=strength,
        reason=f"{why}, {held} bar{'' if held == 1 else 's'} after the entry",
    )


def _trend_changes(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """SMA 50 crosses SMA 200, or the line's t-value flips through ±2 while ADX is above 20."""
    _, _, _, t_value = lines(prices.close)
    gap = indicators.sma50 - indicators.sma200
    flips = _flips(t_value, 2.0)
    for side in (1, -1):
        crossed = crosses(gap * side, 0.0)
        flipped = (flips == side) & (indicators.adx > 20.0)
        for bar in np.flatnonzero(crossed | flipped):
            yield _firing(
                "trend_change",
                int(bar),
                side,
                excess=max(0.0, float(t_value[bar]) * side - 2.0) / 2.0,
                reason=(
                    f"the 50-bar average crossed {'above' if side > 0 else 'below'} the 200-bar"
                    if crossed[bar]
                    else f"the 50-bar trend line turned {'up' if side > 0 else 'down'}"
                ),
            )


def _flips(values: Floats, level: float) -> NDArray[np.int64]:
    """Return ±1 where `values` pass ±`level` and the last level passed was the other one."""
    beyond = np.where(values > level, 1, np.where(values < -level, -1, 0))
    out = np.zeros(len(values), dtype=np.int64)
    at = np.flatnonzero(beyond)
    if len(at) > 1:
        turned = at[1:][beyond[at[1:]] != beyond[at[:-1]]]
        out[turned] = beyond[turned]
    return out


def _volatility(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """A burst: 5-bar variance above its own 75th percentile. A squeeze: bands below their 5th.

    Either fires when it begins, and again every 5 bars while it lasts: a signal holds that long.
    """
    week = variance.of_weeks(prices)
    ceiling = usual_variance(week, BURST)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.log(week / ceiling)
    for bar in _episodes(week > ceiling, VALID_BARS["volatility"]):
        yield _firing(
            "volatility",
            bar,
            0,
            variant="burst",
            excess=3.0 * min(float(excess[bar]), 30.0),
            reason="5-bar variance is above the 75th percentile of its own past",
        )
    width = indicators.bandwidth
    floor = lagged(rolling.quantile(width, MEMORY, SQUEEZE, least=LEAST))
    for bar in _episodes(width < floor, VALID_BARS["volatility"]):
        yield _firing(
            "volatility",
            bar,
            0,
            variant="squeeze",
            excess=float(3.0 * (1.0 - width[bar] / floor[bar])),
            reason="the Bollinger bands are narrower than 95 % of their own past",
        )


def usual_variance(week: Floats, share: float) -> Floats:
    """Return the percentile of 5-bar variance that was known before each bar."""
    return lagged(rolling.quantile(week, MEMORY, share, least=LEAST))


def _episodes(holds: NDArray[np.bool_], every: int) -> Iterator[int]:
    """Return where `holds` begins to be true, and every so many bars while it stays so."""
    since = -1
    for bar in np.flatnonzero(holds).tolist():
        if since < 0 or not holds[bar - 1]:
            since = bar
        if (bar - since) % every == 0:
            yield bar


def _volume_spikes(prices: Prices) -> Iterator[Firing]:
    """Log volume more than 3 robust deviations above the median of the 50 bars before."""
    score = volume_score(prices.volume)
    for bar in np.flatnonzero(score > 3.0):
        rose = prices.close[bar] - prices.close[bar - 1]
        day = "a rising" if rose > 0 else "a falling" if rose < 0 else "an unchanged"
        yield _firing(
            "volume_spike",
            int(bar),
            0,
            excess=float(score[bar]) - 3.0,
            reason=f"volume on {day} bar is {score[bar]:.1f} robust deviations above its 50-bar "
            "median",
        )


def volume_score(volume: Floats) -> Floats:
    """Return how unusual each bar's volume is against the 50 before it, in robust deviations."""
    with np.errstate(divide="ignore"):
        logs = np.log(volume)
    logs[~np.isfinite(logs)] = np.nan
    middle, spread = (lagged(column) for column in rolling.median_and_mad(logs, 50))
    score = np.full(len(volume), np.nan)
    np.divide(logs - middle, 1.4826 * spread, out=score, where=spread > 0)
    return score


def _breakouts(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """First close beyond the range of the 55 bars before, on 1.5 times their usual volume."""
    ranges = breakout_range(prices)
    heavy = prices.volume > 1.5 * lagged(rolling.mean(prices.volume, 50))
    for side, edge in ranges.items():
        beyond = side * (prices.close - edge)
        for bar in np.flatnonzero(crosses(beyond, 0.0) & heavy):
            atr = float(indicators.atr[bar])
            yield _firing(
                "breakout",
                int(bar),
                side,
                excess=float(beyond[bar]) / atr if atr > 0 else 0.0,
                reason=(
                    f"the close left the range of the last 55 bars "
                    f"{'upwards' if side > 0 else 'downwards'} on heavy volume"
                ),
            )


def breakout_range(prices: Prices) -> dict[int, Floats]:
    """Return the highest high (1) and lowest low (-1) of the 55 bars before each bar."""
    return {
        1: lagged(rolling.highest(prices.high, 55)),
        -1: lagged(rolling.lowest(prices.low, 55)),
    }


def _reversals(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """The close comes back inside a band with RSI still stretched, or RSI leaves 30 or 70."""
    place, rsi = indicators.percent_b(prices.close), indicators.rsi
    for side in (1, -1):
        outside = -place if side > 0 else place - 1.0
        stretched = (rsi < 40.0) if side > 0 else (rsi > 60.0)
        back = crosses(-outside, 0.0, inclusive=True) & stretched
        beyond = (30.0 - rsi) if side > 0 else (rsi - 70.0)
        left = crosses(-beyond, 0.0, inclusive=True)
        for bar in np.flatnonzero(back | left):
            yield _firing(
                "reversal",
                int(bar),
                side,
                excess=max(float(beyond[bar - 1]) / 5.0, 0.25),
                reason=(
                    f"RSI came back {'above 30' if side > 0 else 'below 70'}"
                    if left[bar]
                    else f"the close came back inside the {'lower' if side > 0 else 'upper'} band"
                ),
            )


def _firing(
    kind: SignalType,
    bar: int,
    side: int,
    *,
    excess: float,
    reason: str,
    variant: Variant | None = None,
) -> Firing:
    return Firing(
        type=kind,
        bar=bar,
        side=_side(side),
        strength=(side or 1) * _size(excess),
        reason=reason,
        variant=variant,
    )


def _size(excess: float) -> float:
    """Return 0 to 100 for an excess over the threshold, in the rule's own unit."""
    return 100.0 * float(np.tanh(excess / 3.0))


def _side(sign: int) -> Side:
    return 1 if sign > 0 else -1 if sign < 0 else 0


def _atr(prices: Prices, bars: int) -> Floats:
    if not len(prices):
        return np.empty(0)
    high, low, close = (
        np.ascontiguousarray(column, dtype=np.float64)
        for column in (prices.high, prices.low, prices.close)
    )
    atr: Floats = talib.ATR(high, low, close, bars)
    return atr
