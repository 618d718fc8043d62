"""Features of prices: none looks ahead, none breaks on odd bars, each is what its name says."""

from dataclasses import replace

import numpy as np
import pytest

from inference.datasets import trailing
from inference.datasets.catalog import VIEWS, view_for
from inference.datasets.market_features import abnormal_volume
from inference.datasets.market_targets import (
    raw_variances,
    regime_threshold,
    return_ahead,
    rise_ahead,
    turbulence_ahead,
    variance_ahead,
    variances,
)
from inference.datasets.views import FeatureView, Table
from inference.errors import BadModel
from inference.panel import Panel, Series
from tests.fakes.made_markets import made_panel, made_series

views = pytest.mark.parametrize("view", VIEWS.values(), ids=list(VIEWS))


def poisoned(series: Series, at: int) -> Series:
    """Return the series with garbage after position `at`."""
    dice = np.random.default_rng(5)
    columns = {}
    for name in ("open", "high", "low", "close", "volume", "total"):
        column = getattr(series, name).copy()
        column[at + 1 :] = dice.choice([1e9, 1e-9, np.nan, 0.0], len(column) - at - 1)
        columns[name] = column
    return replace(series, **columns)


def assert_same(found: Table, expected: Table, rows: slice, *, tolerance: float = 0.0) -> None:
    assert found.columns.keys() == expected.columns.keys()
    for name, column in expected.columns.items():
        np.testing.assert_allclose(
            found.columns[name][rows], column[rows], rtol=tolerance, atol=tolerance, err_msg=name
        )


@views
def test_no_feature_changes_when_the_history_is_cut_after_it(view: FeatureView) -> None:
    panel = made_panel(3, 500)
    whole = view.compute(panel)
    for at in np.random.default_rng(1).integers(5, 499, 20):
        cut = view.compute(panel.until(panel.series[0].times[at]))
        for symbol, table in cut.items():
            assert len(table.times) == at + 1
            for name, column in table.columns.items():
                np.testing.assert_array_equal(column, whole[symbol].columns[name][: at + 1], name)


@views
def test_no_feature_sees_a_poisoned_future(view: FeatureView) -> None:
    panel = made_panel(3, 500)
    whole = view.compute(panel)
    for at in (60, 250, 420):
        bad = replace(panel, series=tuple(poisoned(series, at) for series in panel.series))
        found = view.compute(bad)
        for symbol in whole:
            assert_same(found[symbol], whole[symbol], slice(0, at + 1))


@views
def test_so_many_bars_before_are_as_good_as_the_whole_history(view: FeatureView) -> None:
    bars = min(view.history_bars, 700)  # the regime reads all there is
    panel = made_panel(2, 900)
    if view.history_bars > 900:
        pytest.skip("it reads the whole history, by its definition")
    whole = view.compute(panel)
    cut = replace(
        panel,
        series=tuple(
            Series(
                one.symbol,
                *(
                    getattr(one, name)[-bars - 1 :]
                    for name in ("times", "open", "high", "low", "close", "volume", "total")
                ),
            )
            for one in panel.series
        ),
    )
    for symbol, table in view.compute(cut).items():
        for name, column in table.columns.items():
            assert column[-1] == pytest.approx(whole[symbol].columns[name][-1], abs=1e-6), name


@views
def test_a_view_makes_the_columns_that_it_declares_and_they_are_known_in_time(
    view: FeatureView,
) -> None:
    table = view.compute(made_panel(2, 600))["S0"]
    assert {column.name for column in view.columns} <= table.columns.keys()
    for column in view.columns:
        assert np.isfinite(table.columns[column.name][400:]).all(), column.name
        assert column.lag_bars >= 0


@views
def test_a_view_of_nothing_is_nothing(view: FeatureView) -> None:
    assert view.compute(Panel("1d", ())) == {}
    short = view.compute(Panel("1d", (made_series("S", 3, seed=1),)))["S"]
    assert all(np.isnan(column).any() or len(column) == 3 for column in short.columns.values())


@views
def test_bars_that_nobody_traded_break_nothing(view: FeatureView) -> None:
    series = made_series("THIN", 600, seed=3)
    dead = np.random.default_rng(4).random(600) < 0.3
    flat = np.where(dead, np.nan, series.close)
    last = np.maximum.accumulate(np.where(np.isnan(flat), 0, np.arange(600)))
    close = series.close[last]
    columns = {
        name: np.where(dead, close, getattr(series, name))
        for name in ("open", "high", "low", "close", "total")
    }
    volume = np.where(dead, [0.0, np.nan] * 300, series.volume)
    thin = replace(series, volume=volume)
    for name, values in columns.items():
        object.__setattr__(thin, name, values)
    table = view.compute(Panel("1d", (thin,)))["THIN"]
    for column in view.columns:
        assert np.isfinite(table.columns[column.name][400:]).all(), column.name


def test_the_market_is_the_mean_of_those_that_close_together() -> None:
    panel = made_panel(2, 300)
    elsewhere = made_series("ABROAD", 300, seed=9)
    abroad = replace(elsewhere, times=elsewhere.times + np.timedelta64(3600, "s"))
    tables = view_for("market.volatility@1").compute(replace(panel, series=(*panel.series, abroad)))
    both = [tables[symbol].columns["variance_5"] for symbol in ("S0", "S1")]
    np.testing.assert_allclose(tables["S0"].columns["market_5"][50:], np.mean(both, axis=0)[50:])
    alone = tables["ABROAD"].columns
    np.testing.assert_array_equal(alone["market_5"], alone["variance_5"])


def test_an_unknown_view_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadModel, match=r"no feature view 'x@1'; there are: market\.volatility@1"):
        view_for("x@1")


def test_garman_klass_and_the_gap_give_the_variance_that_was_put_in() -> None:
    dice = np.random.default_rng(0)
    bars, steps = 1500, 4000
    within = dice.standard_normal((bars, steps)) * 0.01 / np.sqrt(steps)
    gaps = dice.standard_normal(bars) * 0.006
    paths = np.hstack([np.zeros((bars, 1)), np.cumsum(within, axis=1)])
    opens = np.cumsum(gaps) + np.concatenate([[0.0], np.cumsum(paths[:-1, -1])])
    series = Series(
        "X",
        np.arange(bars).astype("datetime64[s]"),
        np.exp(opens),
        np.exp(opens + paths.max(axis=1)),
        np.exp(opens + paths.min(axis=1)),
        np.exp(opens + paths[:, -1]),
        np.ones(bars),
        np.ones(bars),
    )
    expected = 0.01**2 + 0.006**2
    # Range estimators see a little less than there is, because a path of 4000 steps misses peaks.
    assert np.nanmean(raw_variances(series)) == pytest.approx(expected, rel=0.06)


def test_a_bar_without_range_gets_the_floor_and_never_zero() -> None:
    series = made_series("X", 400, seed=1)
    for name in ("open", "high", "low"):
        getattr(series, name)[300] = series.close[299]
    series.close[300] = series.close[299]
    variance = variances(series)
    typical = np.nanmedian(raw_variances(series)[51:301][raw_variances(series)[51:301] > 0])
    assert variance[300] == pytest.approx(0.02 * typical)
    assert np.isnan(variance[:20]).all()
    assert (variance[20:] > 0.0).all()


def test_abnormal_volume_is_measured_against_the_bars_before() -> None:
    series = made_series("X", 200, seed=2)
    volume = np.exp(10.0 + 0.1 * np.random.default_rng(3).standard_normal(200))
    volume[150] *= np.e
    found = abnormal_volume(replace(series, volume=volume))
    log = np.log(volume)
    middle = np.median(log[100:150])
    spread = 1.4826 * np.median(np.abs(log[100:150] - middle))
    assert found[150] == pytest.approx(min((log[150] - middle) / spread, 8.0))
    assert (abnormal_volume(replace(series, volume=np.full(200, np.nan))) == 0.0).all()


def test_what_comes_after_a_bar_is_what_the_next_bars_were() -> None:
    series = made_series("X", 300, seed=4)
    variance = variances(series)
    at = 200
    assert variance_ahead(series, 5)[at] == pytest.approx(variance[at + 1 : at + 6].mean())
    assert return_ahead(series, 3)[at] == pytest.approx(
        np.log(series.total[at + 3] / series.total[at])
    )
    assert rise_ahead(series, 3)[at] == float(series.total[at + 3] > series.total[at])
    assert np.isnan(variance_ahead(series, 5)[-5:]).all()
    assert np.isnan(return_ahead(series, 3)[-3:]).all()
    threshold = regime_threshold(variance, 5)
    known = [variance[i - 4 : i + 1].mean() for i in range(24, at + 1)]
    known = [one for one in known if np.isfinite(one)]
    assert threshold[at] == pytest.approx(np.quantile(known, 0.75))
    assert turbulence_ahead(series, 5)[at] == float(
        variance[at + 1 : at + 6].mean() > threshold[at]
    )


def test_trailing_statistics_are_numpys_on_each_window() -> None:
    column = np.random.default_rng(0).standard_normal(80)
    column[[10, 11, 40]] = np.nan
    for at in (30, 45, 79):
        window = column[at - 19 : at + 1]
        assert trailing.quantile(column, 0.5, 20, least=10)[at] == pytest.approx(
            np.nanmedian(window)
        )
        assert trailing.mean(column, 20, least=10)[at] == pytest.approx(np.nanmean(window))
        assert trailing.quantile(column, 0.3, 20, least=5)[at] == pytest.approx(
            np.nanquantile(window, 0.3)
        )
        _, spread = trailing.median_and_spread(column, 20, least=10)
        assert spread[at] == pytest.approx(np.nanmedian(np.abs(window - np.nanmedian(window))))
    assert np.isnan(trailing.mean(column, 20)[40:60]).all()
