"""Where sampled paths begin: how volatile an instrument is now and was, and its last returns.

Log returns of the total-return price. The value at a bar reads that bar and those before it.
"""

from collections.abc import Mapping

import numpy as np

from inference.bundle import InputColumn
from inference.datasets.views import FeatureView, Table
from inference.datasets.volatility_target import FAST, SLOW, moving_variance
from inference.panel import Panel, Series
from inference.requests import Floats

WARM_UP = 120
WINDOW = 60
"""Returns that a recurrent net reads before it goes on by itself."""
_HISTORY = 2500
"""0.99 to this power is 1e-11: the slow average has forgotten everything before."""
_LEAST_VARIANCE = 1e-10
FAST_COLUMN, SLOW_COLUMN = "log_variance_fast", "log_variance_slow"
RETURN_COLUMNS = tuple(f"return_{back}" for back in range(WINDOW - 1, -1, -1))
"""Oldest first: `return_0` is the return of the bar itself."""


def log_returns(series: Series) -> Floats:
    """Return each bar's log total return; NaN for the first, 0 where a price is missing."""
    total = np.log(np.where(series.total > 0.0, series.total, np.nan))
    returns = np.concatenate([[np.nan], np.diff(total)])
    returns[1:] = np.nan_to_num(returns[1:], nan=0.0)
    return np.asarray(returns)


def log_variances(returns: Floats) -> tuple[Floats, Floats]:
    """Return the logs of the fast and the slow moving variance at each bar."""
    fast, slow = (
        np.log(np.maximum(moving_variance(returns, weight), _LEAST_VARIANCE))
        for weight in (FAST, SLOW)
    )
    fast[:WARM_UP] = np.nan
    slow[:WARM_UP] = np.nan
    return fast, slow


def _state(panel: Panel) -> Mapping[str, Table]:
    tables = {}
    for series in panel.series:
        fast, slow = log_variances(log_returns(series))
        tables[series.symbol] = Table(series.times, {FAST_COLUMN: fast, SLOW_COLUMN: slow})
    return tables


def _recent(panel: Panel) -> Mapping[str, Table]:
    tables = {}
    for series in panel.series:
        returns = log_returns(series)
        _, slow = log_variances(returns)
        columns: dict[str, Floats] = {SLOW_COLUMN: slow}
        for back, name in zip(range(WINDOW - 1, -1, -1), RETURN_COLUMNS, strict=True):
            kept = returns[: max(0, len(returns) - back)]
            columns[name] = np.concatenate([np.full(min(back, len(returns)), np.nan), kept])
        tables[series.symbol] = Table(series.times, columns)
    return tables


PATH_STATE = FeatureView(
    name="market.path_state",
    version=1,
    columns=(InputColumn(name=FAST_COLUMN), InputColumn(name=SLOW_COLUMN)),
    history_bars=_HISTORY,
    compute=_state,
    description="Log variance of a bar's return, as of late and as it has been.",
)
RECENT_RETURNS = FeatureView(
    name="market.recent_returns",
    version=1,
    columns=(
        *(
            InputColumn(name=name, lag_bars=back)
            for back, name in zip(range(WINDOW - 1, -1, -1), RETURN_COLUMNS, strict=True)
        ),
        InputColumn(name=SLOW_COLUMN),
    ),
    history_bars=_HISTORY,
    compute=_recent,
    description=f"The last {WINDOW} log returns, oldest first, and how volatile it has been.",
)
