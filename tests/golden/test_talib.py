"""Our indicators are TA-Lib's, today and in the values kept since the first day."""

import json

import numpy as np
import pytest

from tests.golden.make_talib_vectors import VECTORS, series
from tests.unit.tools.samples import as_prices
from tools.analytics import indicators
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
