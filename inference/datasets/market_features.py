"""Features of prices: how large the moves were, how unusual the volume, how the market did.

Everything at a bar is known when it closes. Variances and their floor: `market_targets`.

- A volume of zero, or one that is missing, says nothing: its abnormal volume is 0.
- The market's columns are means over the instruments of the panel whose bars close at the same
  moment, the instrument itself included. Instruments of another exchange close at another moment.
- A halt is a gap in time: the first bar after it holds the whole jump.
"""

from collections.abc import Mapping

import numpy as np

from inference.bundle import InputColumn
from inference.datasets import trailing
from inference.datasets.market_targets import FLOOR_BARS, REGIME_BARS, regime_threshold, variances
from inference.datasets.views import FeatureView, Table
from inference.panel import Panel, Series
from inference.requests import Floats

VOLUME_BARS = 50
VOLUME_SPREAD_LEAST = 0.05
"""Median absolute deviation of the log volume (5 %): below it, volumes are rounded, not steady."""
REGIME_HORIZON = 5
_MAD_TO_DEVIATION = 1.4826
_HISTORY = FLOOR_BARS + 66 + 4

Columns = dict[str, Floats]


def abnormal_volume(series: Series) -> Floats:
    """Return (log V - median) / (1.4826 MAD) over the 50 bars before, held to -5 .. 8."""
    volume = np.log(np.where(series.volume > 0.0, series.volume, np.nan))
    middle, spread = trailing.median_and_spread(volume, VOLUME_BARS, least=VOLUME_BARS // 2)
    before, wide = trailing.lagged(middle), trailing.lagged(spread)
    score = (volume - before) / (_MAD_TO_DEVIATION * np.maximum(wide, VOLUME_SPREAD_LEAST))
    return np.clip(np.nan_to_num(score, nan=0.0), -5.0, 8.0)


def _volatility_of(series: Series, variance: Floats) -> Columns:
    """Return the columns that one instrument has by itself."""
    log = np.log(variance)
    month = trailing.mean(log, 22)
    deviation = np.sqrt(trailing.mean(variance, 22))
    total = np.log(np.where(series.total > 0.0, series.total, np.nan))
    moves = (total - trailing.lagged(total)) / deviation
    week = (total - trailing.lagged(total, 5)) / (deviation * np.sqrt(5.0))
    opened = np.log(np.where(series.open > 0.0, series.open, np.nan))
    closed = np.log(np.where(series.close > 0.0, series.close, np.nan))
    share = np.minimum((opened - trailing.lagged(closed)) ** 2 / variance, 1.0)
    volume = abnormal_volume(series)
    up = np.maximum(volume, 0.0)
    burst = up * (log - month)
    return {
        "variance_1": log,
        "variance_5": trailing.mean(log, 5),
        "variance_22": month,
        "variance_66": trailing.mean(log, 66),
        "volume": volume,
        "volume_up": up,
        "volume_5": trailing.mean(volume, 5),
        "volume_22": trailing.mean(volume, 22),
        "burst": burst,
        "burst_5": trailing.mean(burst, 5),
        "fall": np.clip(moves, -5.0, 0.0),
        "fall_5": np.clip(week, -5.0, 0.0),
        "move": np.minimum(np.abs(moves), 6.0),
        "overnight": share,
        "overnight_burst": share * (log - month),
    }


def _add_market(panel: Panel, columns: Mapping[str, Columns], means: Mapping[str, str]) -> None:
    """Add means over the panel at the same moment: `means` is column -> its market's name."""
    times = np.concatenate([series.times for series in panel.series])
    moments, where = np.unique(times, return_inverse=True)
    starts = np.cumsum([0, *(len(series) for series in panel.series)])
    for name, market in means.items():
        values = np.concatenate([columns[series.symbol][name] for series in panel.series])
        known = np.isfinite(values)
        total = np.bincount(where[known], weights=values[known], minlength=len(moments))
        count = np.bincount(where[known], minlength=len(moments))
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)[where]
        # An instrument without a number of its own gets none from the market.
        mean[~known] = np.nan
        for index, series in enumerate(panel.series):
            columns[series.symbol][market] = mean[starts[index] : starts[index + 1]]


def _tables(panel: Panel, columns: Mapping[str, Columns]) -> dict[str, Table]:
    return {one.symbol: Table(one.times, columns[one.symbol]) for one in panel.series}


_MARKET = {f"variance_{bars}": f"market_{bars}" for bars in (1, 5, 22)}


def volatility(panel: Panel) -> dict[str, Table]:
    """Return the columns of `VOLATILITY`."""
    if not panel.series:
        return {}
    columns = {one.symbol: _volatility_of(one, variances(one)) for one in panel.series}
    _add_market(panel, columns, _MARKET)
    return _tables(panel, columns)


def regime(panel: Panel) -> dict[str, Table]:
    """Return the columns of `REGIME`: those of volatility, and where turbulence begins."""
    if not panel.series:
        return {}
    variance_of = {series.symbol: variances(series) for series in panel.series}
    columns = {one.symbol: _volatility_of(one, variance_of[one.symbol]) for one in panel.series}
    _add_market(panel, columns, _MARKET)
    for series in panel.series:
        variance = variance_of[series.symbol]
        threshold = regime_threshold(variance, REGIME_HORIZON)
        now = trailing.mean(variance, REGIME_HORIZON)
        unknown = np.isnan(threshold) | np.isnan(now)
        columns[series.symbol] |= {
            "threshold": np.log(threshold),
            "turbulent": np.where(unknown, np.nan, (now > threshold).astype(np.float64)),
        }
    return _tables(panel, columns)


def direction(panel: Panel) -> dict[str, Table]:
    """Return the columns of `DIRECTION`."""
    if not panel.series:
        return {}
    columns: dict[str, Columns] = {}
    for series in panel.series:
        variance = variances(series)
        own = _volatility_of(series, variance)
        deviation = np.sqrt(trailing.mean(variance, 22))
        total = np.log(np.where(series.total > 0.0, series.total, np.nan))
        for bars in (1, 5, 20, 60, 250):
            score = (total - trailing.lagged(total, bars)) / (deviation * np.sqrt(bars))
            own[f"return_{bars}"] = np.clip(score, -6.0, 6.0)
        own["calm"] = own["variance_22"] - own["variance_66"]
        columns[series.symbol] = {name: own[name] for name in (*_OWN_DIRECTION,)}
    _add_market(panel, columns, {f"return_{bars}": f"market_return_{bars}" for bars in (5, 20, 60)})
    return _tables(panel, columns)


_OWN_DIRECTION = (
    *(f"return_{bars}" for bars in (1, 5, 20, 60, 250)),
    "calm",
    "volume",
    "overnight",
)
_OWN_VOLATILITY = (
    *(f"variance_{bars}" for bars in (1, 5, 22, 66)),
    *_MARKET.values(),
    *("volume", "volume_up", "volume_5", "volume_22", "burst", "burst_5"),
    *("fall", "fall_5", "move", "overnight", "overnight_burst"),
)


def _inputs(*names: str) -> tuple[InputColumn, ...]:
    return tuple(
        InputColumn(name=name, kind="binary" if name == "turbulent" else "numeric")
        for name in names
    )


VOLATILITY = FeatureView(
    name="market.volatility",
    version=1,
    columns=_inputs(*_OWN_VOLATILITY),
    history_bars=_HISTORY,
    compute=volatility,
    description=(
        "Mean log variance (Garman-Klass and overnight) of the last 1, 5, 22 and 66 bars, of the "
        "instrument and of its market; abnormal volume; falls; the share of the overnight gap."
    ),
)
REGIME = FeatureView(
    name="market.regime",
    version=1,
    columns=_inputs(*_OWN_VOLATILITY, "threshold", "turbulent"),
    history_bars=REGIME_BARS + _HISTORY,
    compute=regime,
    description=(
        "market.volatility, the log of the 75th percentile of the instrument's own 5-bar "
        "variances so far, and whether the last 5 bars lay above it."
    ),
)
DIRECTION = FeatureView(
    name="market.direction",
    version=1,
    columns=_inputs(*_OWN_DIRECTION, *(f"market_return_{bars}" for bars in (5, 20, 60))),
    history_bars=_HISTORY,
    compute=direction,
    description=(
        "Returns over 1 to 250 bars in units of the instrument's own volatility, the market's, "
        "abnormal volume and the share of the overnight gap."
    ),
)
