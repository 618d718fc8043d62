"""When each of the seven kinds of signal fires, decided at the close of a bar from bars up to it.

Pure rules over whole histories: `fire` returns every firing, so that what followed the earlier
ones can be counted (`track_record`) and the newest ones shown. A rule at bar t reads nothing after
t; the tests cut and poison the future to prove it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.analytics.composite import CALL, Composite
from tools.analytics.indicators import Indicators
from tools.analytics.prices import Floats, Prices, log_returns
from tools.analytics.trend import lines

SignalType = Literal[
    "entry", "exit", "trend_change", "volatility", "volume_spike", "breakout", "reversal"
]
VALID_BARS: dict[SignalType, int] = {
    "entry": 20,
    "exit": 5,
    "trend_change": 60,
    "volatility": 5,
    "volume_spike": 5,
    "breakout": 20,
    "reversal": 10,
}
CHANDELIER = (22, 3.0)
"""Exit when the close falls 3 ATR below the highest high of 22 bars (mirrored for shorts)."""


@dataclass(frozen=True)
class Firing:
    """One signal at the close of one bar."""

    type: SignalType
    like: str
    """Which earlier firings resemble it: type, side and variant, as one word."""
    bar: int
    side: Literal[-1, 0, 1]
    strength: float
    """-100 to 100; a heuristic."""
    reason: str


def fire(prices: Prices, indicators: Indicators, composite: Composite) -> list[Firing]:
    """Return every firing over the whole history, oldest first."""
    firings = [
        *_entries_and_exits(prices, indicators, composite.strength),
        *_trend_changes(prices, indicators),
        *_volatility(prices, indicators),
        *_volume_spikes(prices),
        *_breakouts(prices, indicators),
        *_reversals(prices, indicators),
    ]
    return sorted(firings, key=lambda firing: (firing.bar, firing.type))


def active(firings: list[Firing], composite: Composite, last: int) -> list[Firing]:
    """Return what still holds at bar `last`: the newest of each type and variant, newest first."""
    newest: dict[str, Firing] = {}
    for firing in firings:
        # A later firing of the type supersedes, whichever side it took; variants stand alone.
        kind = firing.like if firing.side == 0 else firing.type
        newest[kind] = firing
    held = [
        firing
        for firing in newest.values()
        if last - firing.bar < VALID_BARS[firing.type]
        and not (firing.type == "entry" and _through_zero(composite.strength, firing, last))
    ]
    exits = [firing.bar for firing in held if firing.type == "exit"]
    held = [f for f in held if f.type != "entry" or all(bar < f.bar for bar in exits)]
    return sorted(held, key=lambda firing: (-firing.bar, firing.type))


def _through_zero(strength: Floats, firing: Firing, last: int) -> bool:
    return bool((strength[firing.bar : last + 1] * firing.side <= 0).any())


def _entries_and_exits(
    prices: Prices, indicators: Indicators, strength: Floats
) -> Iterator[Firing]:
    """One entry at a time: open from the crossing of ±30 until 20 bars, or an exit."""
    bars, width = CHANDELIER
    stop_long = _rolling(np.max, prices.high, bars) - width * indicators.atr
    stop_short = _rolling(np.min, prices.low, bars) + width * indicators.atr
    side, since = 0, 0
    for bar in range(1, len(prices)):
        before, now = strength[bar - 1], strength[bar]
        if np.isnan(before):
            continue
        if side:
            lost = now * side <= 0
            stop = stop_long[bar] if side > 0 else stop_short[bar]
            stopped = (prices.close[bar] - stop) * side < 0
            if lost or stopped:
                why = "the strength crossed zero" if lost else "the close fell through its stop"
                why = why if side > 0 or lost else "the close rose through its stop"
                against: Literal[-1, 1] = -1 if side > 0 else 1
                size = float(min(100.0, max(abs(now), CALL)))
                yield Firing(
                    type="exit",
                    like=f"exit{'-' if against < 0 else '+'}",
                    bar=bar,
                    side=against,
                    strength=against * size,
                    reason=f"{why}, {bar - since} bars after the entry",
                )
                side = 0
            elif bar - since >= VALID_BARS["entry"]:
                side = 0
        if not side and abs(now) >= CALL and before * np.sign(now) < CALL:
            up = now > 0
            side, since = (1 if up else -1), bar
            yield Firing(
                type="entry",
                like="entry+" if up else "entry-",
                bar=bar,
                side=1 if up else -1,
                strength=float(now),
                reason=f"the strength crossed {'+' if up else '-'}{CALL:.0f}",
            )


def _trend_changes(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """SMA 50 crosses SMA 200, or the line's t-value leaves through ±2 while ADX is above 20."""
    _, _, _, t_value = lines(prices.close)
    gap = indicators.sma50 - indicators.sma200
    for side in (1, -1):
        crossed = _crosses(gap * side, 0.0)
        flipped = _crosses(t_value * side, 2.0) & (indicators.adx > 20.0)
        for bar in np.flatnonzero(crossed | flipped):
            yield _sided(
                "trend_change",
                int(bar),
                side,
                excess=max(0.0, float(t_value[bar]) * side - 2.0) / 2.0,
                reason=(
                    f"the 50-day average crossed {'above' if side > 0 else 'below'} the 200-day"
                    if crossed[bar]
                    else f"the 50-bar trend line turned {'up' if side > 0 else 'down'}"
                ),
            )


def _volatility(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """A burst: 5-bar variance passes twice the year's. A squeeze: the year's narrowest bands."""
    squared = log_returns(prices.total) ** 2
    short, long = _rolling(np.mean, squared, 5), _rolling(np.mean, squared, 250)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(short / (2.0 * long))
    ratio[np.isneginf(ratio)] = -50.0
    for bar in np.flatnonzero(_crosses(ratio, 0.0)):
        times = 2.0 * float(np.exp(ratio[bar]))
        yield _unsided(
            "volatility",
            "burst",
            int(bar),
            excess=float(ratio[bar]) * 3.0,
            reason=f"5-day variance is {times:.1f} times that of the last 250 days",
        )
    width = indicators.bandwidth
    floor = _lagged(_rolling_quantile(width, 250, 0.05))
    for bar in np.flatnonzero(_crosses(floor - width, 0.0)):
        yield _unsided(
            "volatility",
            "squeeze",
            int(bar),
            excess=float(3.0 * (1.0 - width[bar] / floor[bar])),
            reason="the Bollinger bands are narrower than on 95 % of the last 250 days",
        )


def _volume_spikes(prices: Prices) -> Iterator[Firing]:
    """Log volume more than 3 robust deviations above the median of the 50 bars before."""
    score = volume_score(prices.volume)
    for bar in np.flatnonzero(_crosses(score, 3.0)):
        yield _unsided(
            "volume_spike",
            "",
            int(bar),
            excess=float(score[bar]) - 3.0,
            reason=f"volume is {score[bar]:.1f} robust deviations above its 50-day median",
        )


def volume_score(volume: Floats) -> Floats:
    """Return how unusual each bar's volume is against the 50 before it, in robust deviations."""
    with np.errstate(divide="ignore"):
        logs = np.log(volume)
    logs[~np.isfinite(logs)] = np.nan
    middle = _lagged(_rolling_median(logs, 50))
    spread = _lagged(_rolling_mad(logs, 50))
    score = np.full(len(volume), np.nan)
    np.divide(logs - middle, 1.4826 * spread, out=score, where=spread > 0)
    return score


def _breakouts(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """First close beyond the range of the 55 bars before, on 1.5 times their usual volume."""
    highest = _lagged(_rolling(np.max, prices.high, 55))
    lowest = _lagged(_rolling(np.min, prices.low, 55))
    heavy = prices.volume > 1.5 * _lagged(_rolling(np.mean, prices.volume, 50))
    for side, beyond in ((1, prices.close - highest), (-1, lowest - prices.close)):
        for bar in np.flatnonzero(_crosses(beyond, 0.0) & heavy):
            atr = float(indicators.atr[bar])
            yield _sided(
                "breakout",
                int(bar),
                side,
                excess=float(beyond[bar]) / atr if atr > 0 else 0.0,
                reason=(
                    f"the close left the range of the last 55 bars "
                    f"{'upwards' if side > 0 else 'downwards'} on heavy volume"
                ),
            )


def _reversals(prices: Prices, indicators: Indicators) -> Iterator[Firing]:
    """The close comes back inside a band with RSI still stretched, or RSI leaves 30 or 70."""
    place, rsi = indicators.percent_b(prices.close), indicators.rsi
    for side in (1, -1):
        outside = -place if side > 0 else place - 1.0
        stretched = (rsi < 40.0) if side > 0 else (rsi > 60.0)
        back = _crosses(-outside, 0.0, inclusive=True) & stretched
        beyond = (30.0 - rsi) if side > 0 else (rsi - 70.0)
        left = _crosses(-beyond, 0.0, inclusive=True)
        for bar in np.flatnonzero(back | left):
            yield _sided(
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


def _sided(kind: SignalType, bar: int, side: int, *, excess: float, reason: str) -> Firing:
    up = side > 0
    return Firing(
        type=kind,
        like=f"{kind}{'+' if up else '-'}",
        bar=bar,
        side=1 if up else -1,
        strength=(1.0 if up else -1.0) * 100.0 * float(np.tanh(excess / 3.0)),
        reason=reason,
    )


def _unsided(kind: SignalType, variant: str, bar: int, *, excess: float, reason: str) -> Firing:
    return Firing(
        type=kind,
        like=f"{kind}:{variant}" if variant else kind,
        bar=bar,
        side=0,
        strength=100.0 * float(np.tanh(excess / 3.0)),
        reason=reason,
    )


def _crosses(values: Floats, level: float, *, inclusive: bool = False) -> NDArray[np.bool_]:
    """Return where `values` come from at or below `level` to above it (NaN never crosses).

    `inclusive`: from below it to at or above it.
    """
    out = np.zeros(len(values), dtype=bool)
    if inclusive:
        out[1:] = (values[1:] >= level) & (values[:-1] < level)
    else:
        out[1:] = (values[1:] > level) & (values[:-1] <= level)
    return out


def _windows(values: Floats, bars: int) -> Floats | None:
    if len(values) < bars:
        return None
    view: Floats = np.lib.stride_tricks.sliding_window_view(values, bars)
    return view


def _filled(count: int, bars: int, tail: Floats | None) -> Floats:
    out = np.full(count, np.nan)
    if tail is not None:
        out[bars - 1 :] = tail
    return out


def _rolling(function: object, values: Floats, bars: int) -> Floats:
    """Return `function` of the `bars` values ending at each bar, NaN before there are as many."""
    windows = _windows(values, bars)
    tail = None if windows is None else function(windows, axis=1)  # type: ignore[operator]
    return _filled(len(values), bars, tail)


def _rolling_median(values: Floats, bars: int) -> Floats:
    return _rolling(np.median, values, bars)


def _rolling_mad(values: Floats, bars: int) -> Floats:
    """Return the median absolute deviation from the window's own median."""
    windows = _windows(values, bars)
    if windows is None:
        return _filled(len(values), bars, None)
    middle = np.median(windows, axis=1, keepdims=True)
    return _filled(len(values), bars, np.median(np.abs(windows - middle), axis=1))


def _rolling_quantile(values: Floats, bars: int, share: float) -> Floats:
    windows = _windows(values, bars)
    tail = None if windows is None else np.quantile(windows, share, axis=1)
    return _filled(len(values), bars, tail)


def _lagged(values: Floats) -> Floats:
    """Return the values one bar later: what was known before the bar."""
    out = np.full(len(values), np.nan)
    out[1:] = values[:-1]
    return out
