"""Our indicators are TA-Lib's, today and in the values kept since the first day."""

import json

import numpy as np
import pytest
import talib

from tests.golden.make_talib_vectors import VECTORS, series
from tests.unit.tools.samples import as_prices
from tools.analytics import indicators, snapshot, trend
from tools.market.demo import read_vendored

GOLDEN = json.loads(VECTORS.read_text())["symbols"]
SHIPPED = read_vendored()
CASES = [(symbol, name) for symbol in GOLDEN for name in GOLDEN[symbol]]


@pytest.mark.parametrize("symbol", sorted(SHIPPED))
def test_every_value_of_every_series_is_talibs_bit_for_bit(symbol: str) -> None:
    bars = SHIPPED[symbol].split_adjusted()
    ours = indicators.compute(as_prices(SHIPPED[symbol]))
    for name, values in series(bars.high, bars.low, bars.close, bars.volume).items():
        np.testing.assert_array_equal(getattr(ours, name), values, name)


@pytest.mark.parametrize(("symbol", "name"), CASES)
def test_values_are_those_of_the_first_day(symbol: str, name: str) -> None:
    """Would notice another TA-Lib, another split rule or another price file."""
    values = getattr(indicators.compute(as_prices(SHIPPED[symbol])), name)
    kept = GOLDEN[symbol][name]
    assert np.count_nonzero(~np.isnan(values)) == kept["count"]
    assert np.nansum(values) == pytest.approx(kept["sum"], rel=1e-9, abs=1e-6)
    for bar, value in kept["at"].items():
        assert values[int(bar)] == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_the_golden_values_cover_every_shipped_symbol_and_indicator() -> None:
    assert sorted(GOLDEN) == sorted(SHIPPED)
    fields = indicators.Indicators.__dataclass_fields__
    assert all(GOLDEN[symbol].keys() == fields.keys() for symbol in GOLDEN)


@pytest.mark.parametrize("symbol", sorted(SHIPPED))
def test_trend_lines_are_talibs_regressions(symbol: str) -> None:
    close = as_prices(SHIPPED[symbol]).close
    slope, intercept, r2, t_value = trend.lines(close)
    np.testing.assert_allclose(slope, talib.LINEARREG_SLOPE(close, 50), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(intercept, talib.LINEARREG_INTERCEPT(close, 50), rtol=1e-10)
    rising = np.arange(len(close), dtype=np.float64)
    correlation = talib.CORREL(close, rising, 50)
    np.testing.assert_allclose(r2, correlation**2, rtol=1e-6, atol=1e-8)
    ready = ~np.isnan(r2)
    errors = np.sqrt(48.0 * r2[ready] / (1.0 - r2[ready])) * np.sign(slope[ready])
    np.testing.assert_allclose(t_value[ready], errors, rtol=1e-9)
    last = trend.fit(close)
    assert last is not None
    assert last.at(49.0) == pytest.approx(talib.LINEARREG(close, 50)[-1], rel=1e-12)


@pytest.mark.parametrize("symbol", sorted(SHIPPED))
def test_the_extremes_of_52_weeks_are_talibs(symbol: str) -> None:
    prices = as_prices(SHIPPED[symbol])
    table = snapshot.table(prices)
    np.testing.assert_array_equal(table["high52w"], talib.MAX(prices.high, 252))
    np.testing.assert_array_equal(table["low52w"], talib.MIN(prices.low, 252))
