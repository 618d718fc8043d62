"""Is there a trend, and how much of one: a straight line through the last closes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.analytics.prices import Floats

BARS = 50
CLEAR = 0.25
"""R² from which a line is called a trend. For 50 closes that is |t| >= 4; the usual 2 would call
most random walks a trend, because neighbouring closes are not independent."""


@dataclass(frozen=True)
class Trend:
    """An ordinary least squares line, x counting bars from 0 at the start of the window."""

    bars: int
    slope: float
    """Price per bar."""
    intercept: float
    r2: float
    t_value: float
    """Of the slope, as if closes were independent; they are not, so it only ranks lines."""
    direction: Literal["up", "down", "sideways"]
    slope_percent: float
    """Of the last close, per bar."""
    slope_per_atr: float | None
    """Slope in average true ranges per bar, so that symbols compare; None without an ATR."""

    def at(self, x: float) -> float:
        """Return the line's price at bar `x` of the window."""
        return self.intercept + self.slope * x


def fit(close: Floats, *, atr: float = float("nan"), bars: int = BARS) -> Trend | None:
    """Return the line through the last `bars` closes; None when there are fewer."""
    if len(close) < bars:
        return None
    slope, intercept, r2, t_value = lines(close[-bars:], bars)
    r2_last = float(r2[-1])
    up_or_down: Literal["up", "down"] = "up" if slope[-1] > 0 else "down"
    return Trend(
        bars=bars,
        slope=float(slope[-1]),
        intercept=float(intercept[-1]),
        r2=r2_last,
        t_value=float(t_value[-1]),
        direction=up_or_down if r2_last >= CLEAR else "sideways",
        slope_percent=100.0 * float(slope[-1] / close[-1]),
        slope_per_atr=float(slope[-1] / atr) if atr > 0 else None,
    )


def lines(close: Floats, bars: int = BARS) -> tuple[Floats, Floats, Floats, Floats]:
    """Return slope, intercept, R² and t-value of the line ending at each bar; NaN before `bars`."""
    count = len(close)
    out = tuple(np.full(count, np.nan) for _ in range(4))
    slope, intercept, r2, t_value = out
    if count < bars:
        return slope, intercept, r2, t_value
    windows = np.lib.stride_tricks.sliding_window_view(close, bars)
    x = np.arange(bars) - (bars - 1) / 2
    mean = windows.mean(axis=1)
    centred = windows - mean[:, None]
    sxx = float(x @ x)
    sxy = centred @ x
    syy = np.einsum("ij,ij->i", centred, centred)
    # A flat window has nothing to explain: no trend, not a perfect one.
    moves = syy > 1e-24 * bars * mean**2
    slope[bars - 1 :] = np.where(moves, sxy / sxx, 0.0)
    intercept[bars - 1 :] = mean - slope[bars - 1 :] * (bars - 1) / 2
    explained = np.zeros(len(sxy))
    np.divide(sxy**2, sxx * syy, out=explained, where=moves)
    explained = np.clip(explained, 0.0, 1.0)
    r2[bars - 1 :] = explained
    with np.errstate(divide="ignore"):
        t_value[bars - 1 :] = np.sign(sxy) * np.sqrt(
            np.where(moves, explained * (bars - 2) / np.maximum(1.0 - explained, 1e-15), 0.0)
        )
    return slope, intercept, r2, t_value
