"""The need of a volatility target reads nothing after its bar."""

import numpy as np
import pytest

from inference.datasets import volatility_target
from inference.panel import Series


def series(bars: int = 400) -> Series:
    times = np.datetime64("2015-01-02T21:00:00") + np.arange(bars) * np.timedelta64(1, "D")
    close = 100.0 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal(bars)))
    return Series("AAA", times.astype("datetime64[s]"), close, close, close, close, close, close)


def test_the_values_at_a_bar_are_those_of_the_history_cut_there() -> None:
    whole = series()
    full = volatility_target.needs(whole, target=0.1, most=1.5, bars_a_year=252)
    for at in (250, 301, 399):
        cut = volatility_target.needs(
            whole.until(whole.times[at]), target=0.1, most=1.5, bars_a_year=252
        )
        for name, column in full.items():
            assert cut[name][-1] == column[at], name


def test_a_steady_move_of_one_percent_asks_for_target_over_its_yearly_size() -> None:
    bars = 600
    base = series(bars)
    close = 100.0 * np.where(np.arange(bars) % 2, 1.01, 1.0)
    steady = Series("S", base.times, close, close, close, close, close, close)
    need = volatility_target.needs(steady, target=0.1, most=5.0, bars_a_year=252)
    size = np.sqrt((0.01**2 + (0.01 / 1.01) ** 2) / 2 * 252)
    assert need["weight"][-1] == pytest.approx(0.1 / size, rel=0.002)
    assert need["trend"][-1] == pytest.approx(0.0, abs=0.01)
