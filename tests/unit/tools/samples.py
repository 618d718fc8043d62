"""Bars made up for tests, and real ones ready to compute on."""

from typing import Any

import numpy as np
import pytest

from tools.analytics.prices import Prices
from tools.market.bars import Bars


def as_prices(bars: Bars) -> Prices:
    adjusted = bars.split_adjusted()
    return Prices(
        days=adjusted.timestamps,
        open=adjusted.open,
        high=adjusted.high,
        low=adjusted.low,
        close=adjusted.close,
        volume=adjusted.volume,
        total=adjusted.total_return_close(),
    )


def made_up(
    close: object, *, volume: object = None, symbol: str = "TEST", spread: float = 0.01
) -> Bars:
    closes = np.asarray(close, dtype=np.float64)
    days = np.busday_offset("2020-01-01", np.arange(len(closes)), roll="forward")
    opens = np.concatenate([closes[:1], closes[:-1]])
    return Bars(
        symbol=symbol,
        timeframe="1d",
        source="made up for a test",
        timestamps=days.astype("datetime64[s]"),
        open=opens,
        high=np.maximum(opens, closes) * (1 + spread),
        low=np.minimum(opens, closes) * (1 - spread),
        close=closes,
        volume=np.full(len(closes), 1e6) if volume is None else np.asarray(volume, np.float64),
    )


def assert_alike(found: Any, expected: Any, at: str = "") -> None:
    """Two trees of plain values are the same but for the last bits of numbers."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), at
        for key, value in expected.items():
            assert_alike(found[key], value, f"{at}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), at
        for index, value in enumerate(expected):
            assert_alike(found[index], value, f"{at}/{index}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9), at
    else:
        assert found == expected, at
