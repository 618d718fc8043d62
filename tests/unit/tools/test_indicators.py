"""Indicators mean what their textbooks say: checked against definitions written out longhand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import indicators
from tools.analytics.indicators import WARM_UP
from tools.analytics.prices import Floats, percentile_rank, years_before
from tools.market.bars import Bars

NAMES = (
    "rsi", "macd", "macd_signal", "macd_histogram", "sma20", "sma50", "sma200", "ema12", "ema26",
    "upper", "middle", "lower", "atr", "adx", "plus_di", "minus_di", "obv", "stochastic_k",
    "stochastic_d",
)  # fmt: skip
UNPRICED = ("rsi", "adx", "plus_di", "minus_di", "obv", "stochastic_k", "stochastic_d")
PRICED = tuple(name for name in NAMES if name not in UNPRICED)


def wilder_rsi(close: Floats, period: int) -> Floats:
    out = np.full(len(close), np.nan)
    moves = np.diff(close)
    gain = float(np.maximum(moves[:period], 0).mean())
    loss = float(np.maximum(-moves[:period], 0).mean())
    for bar in range(period, len(close)):
        if bar > period:
            gain = (gain * (period - 1) + max(moves[bar - 1], 0.0)) / period
            loss = (loss * (period - 1) + max(-moves[bar - 1], 0.0)) / period
        out[bar] = 100 * gain / (gain + loss)
    return out


def seeded_ema(close: Floats, period: int) -> Floats:
    out = np.full(len(close), np.nan)
    out[period - 1] = close[:period].mean()
    for bar in range(period, len(close)):
        out[bar] = out[bar - 1] + 2 / (period + 1) * (close[bar] - out[bar - 1])
    return out


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_longhand_definitions_agree_over_the_whole_series(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    got, close = indicators.compute(prices), prices.close
    np.testing.assert_allclose(got.rsi, wilder_rsi(close, 14), rtol=1e-10)
    np.testing.assert_allclose(got.ema12, seeded_ema(close, 12), rtol=1e-12)
    np.testing.assert_allclose(got.ema26, seeded_ema(close, 26), rtol=1e-12)
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)
    np.testing.assert_allclose(got.sma20[19:], windows.mean(axis=1), rtol=1e-10)
    # The population deviation, not the sample's.
    np.testing.assert_allclose(
        got.upper[19:], windows.mean(axis=1) + 2 * windows.std(axis=1), rtol=1e-9
    )
    np.testing.assert_allclose(got.upper - got.middle, got.middle - got.lower, rtol=1e-6)
    difference = seeded_ema(close, 12) - seeded_ema(close, 26)
    # TA-Lib starts both averages at bar 25; after 100 bars nothing of that is left.
    np.testing.assert_allclose(got.macd[133:], difference[133:], atol=1e-3 * close.mean() / 100)
    np.testing.assert_allclose(got.macd_histogram, got.macd - got.macd_signal, rtol=1e-9)


def test_values_begin_exactly_where_their_warm_up_says(shipped: dict[str, Bars]) -> None:
    got = indicators.compute(as_prices(shipped["GOOG"]))
    first = {name: int(np.flatnonzero(~np.isnan(getattr(got, name)))[0]) + 1 for name in NAMES}
    for name in WARM_UP.keys() - {"bollinger", "stochastic"}:
        assert first[name] == WARM_UP[name], name
    assert first["upper"] == first["lower"] == WARM_UP["bollinger"]
    assert first["stochastic_k"] == first["stochastic_d"] == WARM_UP["stochastic"]


@pytest.mark.parametrize("count", [0, 1, 2, 13, 14, 15, 33, 34, 199, 200])
def test_short_histories_give_no_value_instead_of_a_wrong_one(count: int) -> None:
    close = 100 + np.sin(np.arange(count))
    got = indicators.compute(as_prices(made_up(close)))
    for name in NAMES:
        assert len(getattr(got, name)) == count
    assert count >= 200 or np.isnan(got.sma200).all()
    assert count >= 15 or np.isnan(got.rsi).all()
    assert indicators.rank(got.rsi, as_prices(made_up(close))) is None or count > 15


def test_a_price_that_stands_still_has_an_rsi_of_fifty() -> None:
    got = indicators.compute(as_prices(made_up(np.full(300, 50.0), spread=0.0)))
    assert (got.rsi[14:] == 50.0).all()
    assert (got.upper[19:] == 50.0).all()
    assert np.isnan(got.percent_b(np.full(300, 50.0))).all()


def test_a_price_that_only_falls_still_has_an_rsi_of_zero() -> None:
    got = indicators.compute(as_prices(made_up(np.linspace(100, 50, 60))))
    assert (got.rsi[14:] == 0.0).all()


prices_of_a_walk = st.integers(0, 2**32 - 1).map(
    lambda seed: 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 320)))
)


@settings(max_examples=25, deadline=None)
@given(close=prices_of_a_walk, scale=st.floats(0.01, 10_000))
def test_a_change_of_currency_changes_prices_and_nothing_else(close: Floats, scale: float) -> None:
    one = indicators.compute(as_prices(made_up(close)))
    other = indicators.compute(as_prices(made_up(close * scale)))
    for name in NAMES:
        factor = scale if name in PRICED else 1.0
        left, right = getattr(one, name) * factor, getattr(other, name)
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-8 * scale * 100)


@settings(max_examples=25, deadline=None)
@given(close=prices_of_a_walk, shift=st.floats(1, 1000))
def test_a_constant_added_to_the_price_shifts_averages_only(close: Floats, shift: float) -> None:
    base, moved = made_up(close), made_up(close)
    moved = type(base)(**{**vars(base), **{
        name: getattr(base, name) + shift for name in ("open", "high", "low", "close")
    }})  # fmt: skip
    one, other = indicators.compute(as_prices(base)), indicators.compute(as_prices(moved))
    for name in ("sma20", "sma50", "sma200", "ema12", "ema26", "upper", "middle", "lower"):
        np.testing.assert_allclose(getattr(one, name) + shift, getattr(other, name), rtol=1e-6)
    for name in ("rsi", "macd", "macd_signal", "atr", "adx", "obv", "stochastic_k"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(close=prices_of_a_walk)
def test_an_upside_down_market_mirrors_the_rsi(close: Floats) -> None:
    one = indicators.rsi(close)
    other = indicators.rsi(2 * close.max() - close)
    np.testing.assert_allclose(one + other, np.where(np.isnan(one), np.nan, 100.0), atol=1e-8)


def test_a_percentile_rank_counts_what_lies_below() -> None:
    history = np.array([np.nan, 1.0, 2.0, 3.0, 4.0])
    assert percentile_rank(history, 3.5) == (75.0, 4)
    assert percentile_rank(history, 3.0) == (62.5, 4)
    assert percentile_rank(history, 0.0) == (0.0, 4)
    assert percentile_rank(history, 9.0) == (100.0, 4)
    assert percentile_rank(np.array([np.nan]), 1.0) is None
    assert percentile_rank(history, np.nan) is None


def test_five_years_are_calendar_years(shipped: dict[str, Bars]) -> None:
    google = shipped["GOOG"]
    start = years_before(google.timestamps, len(google) - 1, 5)
    assert str(google.day(start)) == "2008-03-03"
    assert str(google.day(start - 1)) == "2008-02-29"
    ranked = indicators.rank(indicators.compute(as_prices(google)).rsi, as_prices(google))
    assert ranked is not None
    assert ranked[1] == len(google) - 1 - start
