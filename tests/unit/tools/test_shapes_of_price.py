"""Trend, levels, volatility and change, on prices whose answer is known beforehand."""

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import changes, indicators, levels, trend, volatility
from tools.analytics.prices import Floats
from tools.market.bars import Bars


def test_a_straight_line_is_found_exactly() -> None:
    line = trend.fit(100 + 0.5 * np.arange(80.0), atr=2.0)
    assert line is not None
    assert line.slope == pytest.approx(0.5)
    assert line.intercept == pytest.approx(115.0)  # the window begins at bar 30
    assert line.r2 == pytest.approx(1.0)
    assert line.direction == "up"
    assert line.slope_per_atr == pytest.approx(0.25)
    assert line.slope_percent == pytest.approx(100 * 0.5 / 139.5)
    assert line.at(49) == pytest.approx(139.5)


def test_the_line_is_the_same_as_the_reference_implementation(shipped: dict[str, Bars]) -> None:
    close = as_prices(shipped["GOOG"]).close
    slope, intercept, r2, t_value = trend.lines(close)
    np.testing.assert_allclose(slope, talib.LINEARREG_SLOPE(close, 50), atol=1e-9)
    np.testing.assert_allclose(intercept, talib.LINEARREG_INTERCEPT(close, 50), atol=1e-6)
    x = np.arange(50.0)
    for bar in (49, 500, 1000, len(close) - 1):
        window = close[bar - 49 : bar + 1]
        correlation = np.corrcoef(x, window)[0, 1]
        assert r2[bar] == pytest.approx(correlation**2)
        assert t_value[bar] == pytest.approx(correlation * np.sqrt(48 / (1 - correlation**2)))


@pytest.mark.parametrize("count", [0, 1, 49])
def test_too_few_closes_make_no_line(count: int) -> None:
    assert trend.fit(np.ones(count)) is None
    assert np.isnan(trend.lines(np.ones(count))[0]).all()


def test_a_flat_price_has_no_trend() -> None:
    line = trend.fit(np.full(50, 12.34), atr=0.0)
    assert line is not None
    assert (line.slope, line.r2, line.t_value, line.direction) == (0, 0, 0, "sideways")
    assert line.slope_per_atr is None


def test_a_zigzag_is_sideways_and_a_fall_is_down() -> None:
    zigzag = trend.fit(100 + np.tile([0.0, 5.0], 25))
    fall = trend.fit(np.linspace(100, 50, 50) + np.tile([0.0, 1.0], 25))
    assert zigzag is not None
    assert fall is not None
    assert zigzag.direction == "sideways"
    assert fall.direction == "down"
    assert fall.t_value < -4


@settings(max_examples=30, deadline=None)
@given(
    close=st.lists(st.floats(1, 1000), min_size=50, max_size=50).map(np.array),
    scale=st.floats(0.001, 1000),
    shift=st.floats(0, 1000),
)
def test_a_trend_does_not_depend_on_units(close: Floats, scale: float, shift: float) -> None:
    one, other = trend.fit(close), trend.fit(close * scale + shift)
    assert one is not None
    assert other is not None
    assert other.slope == pytest.approx(one.slope * scale, rel=1e-6, abs=1e-9 * scale * 1000)
    assert 0 <= other.r2 <= 1
    if close.std() * scale > 1e-6 * (shift + 1):
        assert other.r2 == pytest.approx(one.r2, abs=1e-6)


def test_the_one_peak_and_the_one_valley_are_the_levels() -> None:
    close = np.concatenate([np.linspace(100, 120, 21), np.linspace(119, 90, 30),
                            np.linspace(91, 105, 15)])  # fmt: skip
    prices = as_prices(made_up(close, spread=0.0))
    atr = float(indicators.compute(prices).atr[-1])
    support, resistance = levels.find(prices, atr=atr)
    assert [level.price for level in support] == [90.0]
    assert [level.price for level in resistance] == [120.0]
    assert resistance[0].pivot_at == 20
    assert resistance[0].confirmed_at == 25


def test_touches_close_together_are_one_level_and_lie_on_their_own_side(
    shipped: dict[str, Bars],
) -> None:
    for bars in shipped.values():
        prices = as_prices(bars)
        atr = float(indicators.compute(prices).atr[-1])
        support, resistance = levels.find(prices, atr=atr)
        close = float(prices.close[-1])
        assert all(level.price < close for level in support)
        assert all(level.price > close for level in resistance)
        assert len(support) <= 3
        assert len(resistance) <= 3
        distances = [close - level.price for level in support]
        assert distances == sorted(distances)


def test_equal_highs_are_one_pivot() -> None:
    column = np.array([1, 2, 3, 4, 5, 9, 9, 5, 4, 3, 2, 1, 0], dtype=np.float64)
    assert levels.pivot_bars(column).tolist() == [5]


@pytest.mark.parametrize("count", [0, 1, 10])
def test_levels_need_a_pivot(count: int) -> None:
    prices = as_prices(made_up(100 + np.arange(float(count))))
    assert levels.find(prices, atr=1.0) == ([], [])
    assert levels.find(prices, atr=float("nan")) == ([], [])


def test_volatility_is_the_root_mean_square_of_log_returns() -> None:
    returns = np.tile([0.02, -0.02], 40)
    total = 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    moves = volatility.measure(total, 20)
    assert moves is not None
    assert moves.daily == pytest.approx(2.0)
    assert moves.annualised == pytest.approx(2.0 * np.sqrt(252))
    assert moves.percentile == pytest.approx(50.0, abs=50)
    assert moves.ranked == len(total) - 21
    assert volatility.measure(total[:20], 20) is None


def test_a_calm_end_ranks_low_and_a_wild_one_high() -> None:
    rng = np.random.default_rng(3)
    calm = 100 * np.exp(np.cumsum(np.concatenate([rng.normal(0, 0.02, 400), np.zeros(20)])))
    wild = 100 * np.exp(np.cumsum(np.concatenate([rng.normal(0, 0.02, 400), np.full(20, 0.1)])))
    low, high = volatility.measure(calm, 20), volatility.measure(wild, 20)
    assert low is not None
    assert high is not None
    assert low.percentile == 0.0
    assert high.percentile == 100.0


def test_a_change_names_its_extremes_and_its_crossings() -> None:
    close = np.concatenate([np.full(260, 100.0), np.linspace(101, 130, 30), np.full(10, 95.0)])
    prices = as_prices(made_up(close, spread=0.0))
    change = changes.between(prices, indicators.compute(prices), 259, 299)
    assert change.change == pytest.approx(-5.0)
    assert change.change_percent == pytest.approx(-5.0)
    assert (change.high, change.high_bar) == (130.0, 289)
    assert (change.low, change.low_bar) == (95.0, 290)
    assert change.drawdown_percent == pytest.approx(100 * (95 / 130 - 1))
    assert change.new_highs == 30
    assert change.new_lows == 1  # equal closes after it are no new low
    said = [(crossing.bar, crossing.what) for crossing in change.crossings]
    assert (290, "the close crossed below SMA 200") in said
    assert (290, "the close crossed below SMA 50") in said


def test_dividends_count_in_the_total_return_only(shipped: dict[str, Bars]) -> None:
    prices = as_prices(shipped["MSFT"])
    start, end = 1182, 1183  # over 2004-11-15, the special dividend of 3 dollars
    assert str(prices.days[end])[:10] == "2004-11-15"
    change = changes.between(prices, indicators.compute(prices), start, end)
    assert change.change_percent == pytest.approx(100 * (27.39 / 29.97 - 1))
    assert change.total_return_percent == pytest.approx(
        100 * ((27.39 + 3.08) / 29.97 - 1), rel=1e-3
    )
