"""Invented prices with volatility that comes in clusters, as real ones have."""

import numpy as np

from inference.panel import Panel, Series


def clustered(
    bars: int = 1500, symbols: tuple[str, ...] = ("AAA", "BBB"), *, seed: int = 0
) -> Panel:
    """Return a GARCH(1,1) panel of daily bars."""
    dice = np.random.default_rng(seed)
    times = np.datetime64("2015-01-02T21:00:00") + np.arange(bars) * np.timedelta64(1, "D")
    return Panel(
        "1d", tuple(_series(name, times.astype("datetime64[s]"), dice) for name in symbols)
    )


def _series(symbol: str, times: np.ndarray, dice: np.random.Generator) -> Series:
    shocks = dice.standard_t(6, len(times)) / np.sqrt(1.5)
    variance, returns = 1e-4, np.empty(len(times))
    for index, shock in enumerate(shocks):
        returns[index] = np.sqrt(variance) * shock
        variance = 2e-6 + 0.10 * returns[index] ** 2 + 0.88 * variance
    close = 100.0 * np.exp(np.cumsum(returns))
    opened = np.concatenate([[100.0], close[:-1]])
    spread = 1.0 + 0.002 * dice.random(len(times))
    return Series(
        symbol,
        times,
        opened,
        np.maximum(opened, close) * spread,
        np.minimum(opened, close) / spread,
        close,
        1e6 * (1.0 + dice.random(len(times))),
        close,
    )
