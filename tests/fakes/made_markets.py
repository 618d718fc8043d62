"""Markets made by chance: variance that clusters, a common part, volume that jumps with it."""

import numpy as np

from inference.panel import Panel, Series
from inference.requests import Floats


def made_series(
    symbol: str, bars: int, *, seed: int, common: Floats | None = None, start: str = "2015-01-05"
) -> Series:
    """Return a series whose log variance is an AR(1) process plus short bursts on volume."""
    dice = np.random.default_rng(seed)
    shared = np.zeros(bars) if common is None else common
    slow = np.zeros(bars)
    for index in range(1, bars):
        slow[index] = 0.97 * slow[index - 1] + 0.15 * dice.standard_normal()
    burst = (dice.random(bars) < 0.02) * 2.0
    deviation = 0.012 * np.exp(0.5 * (slow + shared + burst))
    steps = 16
    within = dice.standard_normal((bars, steps)) * (0.9 * deviation / np.sqrt(steps))[:, None]
    gaps = dice.standard_normal(bars) * 0.44 * deviation
    paths = np.cumsum(within, axis=1)
    closes = np.cumsum(gaps + paths[:, -1])
    opens = closes - paths[:, -1]
    inside = np.hstack([np.zeros((bars, 1)), paths])
    close = 50.0 * np.exp(closes)
    days = np.busday_offset(start, np.arange(bars), roll="forward").astype("datetime64[s]")
    return Series(
        symbol,
        (days.astype(np.int64) + 21 * 3600).astype("datetime64[s]"),
        50.0 * np.exp(opens),
        50.0 * np.exp(opens + inside.max(axis=1)),
        50.0 * np.exp(opens + inside.min(axis=1)),
        close,
        np.exp(14.0 + 0.3 * dice.standard_normal(bars) + burst),
        close.copy(),
    )


def made_panel(symbols: int = 3, bars: int = 900, *, seed: int = 0) -> Panel:
    """Return several series with a common part of their variance."""
    dice = np.random.default_rng([seed, 99])
    common = np.zeros(bars)
    for index in range(1, bars):
        common[index] = 0.95 * common[index - 1] + 0.2 * dice.standard_normal()
    return Panel(
        "1d",
        tuple(
            made_series(f"S{index}", bars, seed=seed * 100 + index, common=common)
            for index in range(symbols)
        ),
    )
