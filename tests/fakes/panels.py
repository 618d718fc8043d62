"""Prices out of thin air, the same for the same seed: for tests of whatever reads panels."""

from datetime import UTC, datetime

import numpy as np

from inference.panel import Panel, Series
from tools.market.bars import Bars


def random_bars(symbol: str, count: int, *, seed: int = 0, start: str = "2015-01-01") -> Bars:
    """Return daily bars of a walk whose volatility comes in clusters."""
    noise = np.random.default_rng([seed, *symbol.encode()])
    variance = np.empty(count)
    shocks = noise.standard_normal(count)
    level = 1e-4
    for at in range(count):
        variance[at] = level
        level = 5e-6 + 0.9 * level + 0.07 * level * shocks[at] ** 2
    close = 100 * np.exp(np.cumsum(np.sqrt(variance) * shocks))
    opened = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(noise.standard_normal(count)) * np.sqrt(variance) * 0.5
    days = np.busday_offset(start, np.arange(count), roll="forward")
    return Bars(
        symbol=symbol,
        timeframe="1d",
        source="made up",
        timestamps=days.astype("datetime64[s]"),
        open=opened,
        high=np.maximum(opened, close) * np.exp(reach),
        low=np.minimum(opened, close) * np.exp(-reach),
        close=close,
        volume=np.exp(12 + 0.3 * np.abs(shocks) + 0.1 * noise.standard_normal(count)),
    )


def random_panel(symbols: tuple[str, ...] = ("AAA", "BBB"), count: int = 400) -> Panel:
    """Return a panel of such bars."""
    series = []
    for symbol in symbols:
        bars = random_bars(symbol, count)
        series.append(
            Series(
                symbol,
                bars.ends(),
                bars.open,
                bars.high,
                bars.low,
                bars.close,
                bars.volume,
                bars.close,
            )
        )
    return Panel("1d", tuple(series))


NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
