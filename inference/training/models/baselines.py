"""The naive ways to answer: what every model has to beat on the same cases.

Variances: RiskMetrics' EWMA, log-HAR (Corsi 2009), log-HAR under the loss it is judged by, GARCH.
Returns: history, a rolling history, EWMA with normal tails, filtered historical simulation.
Events: the rate so far (climatology), and what is now goes on (persistence).
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from inference.datasets import trailing
from inference.panel import Panel, Series
from inference.requests import Floats
from inference.training.evaluation.walk_forward import Cases
from inference.training.models.garch import Garch, fit_garch
from inference.training.models.linear_models import (
    fit_log_variance,
    fit_logit,
    fit_variance,
    sigmoid,
)

DECAY = 0.94
"""RiskMetrics 1996, for days."""
SEED_BARS = 20
GARCH_REFIT_BARS = 63
ROLLING_BARS = 250
HAR = ("variance_1", "variance_5", "variance_22")


def log_returns(series: Series) -> Floats:
    """Return the log total return of each bar; NaN for the first."""
    total = np.log(np.where(series.total > 0.0, series.total, np.nan))
    return np.asarray(total - trailing.lagged(total), dtype=np.float64)


def ewma_variance(series: Series) -> Floats:
    """Return the EWMA variance forecast at each bar: seeded by the mean of 20 squared returns."""
    squared = np.nan_to_num(log_returns(series), nan=0.0) ** 2
    out = np.full(len(series), np.nan)
    if len(series) <= SEED_BARS:
        return out
    value = float(squared[1 : SEED_BARS + 1].mean())
    numbers = squared.tolist()
    for index in range(SEED_BARS, len(series)):
        value = DECAY * value + (1.0 - DECAY) * numbers[index]
        out[index] = value
    return np.asarray(np.maximum(out, 1e-12), dtype=np.float64)


def garch_variance(
    panel: Panel,
    cases: Cases,
    tested: Floats,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Floats:
    """Return GARCH(1,1)-t's forecasts for the cases whose `tested` is finite, each instrument by
    itself, refitted every 63 bars on all the returns before; EWMA's where it cannot be fitted.
    """
    out = np.full(len(cases), np.nan)
    for index, series in enumerate(panel.series):
        mine = np.flatnonzero((cases.symbols == index) & np.isfinite(tested))
        if len(mine):
            places = np.searchsorted(series.times, cases.times[mine])
            out[mine] = _garch_of(series, places, cases.horizon)
        progress((index + 1) / len(panel.series))
    return out


def _garch_of(series: Series, places: np.ndarray, horizon: int) -> Floats:
    returns = np.nan_to_num(log_returns(series), nan=0.0)
    fallback = ewma_variance(series)
    found = np.empty(len(places))
    model: Garch | None = None
    for start in range(0, len(places), GARCH_REFIT_BARS):
        block = places[start : start + GARCH_REFIT_BARS]
        known = returns[1 : block[0] + 1]
        model = fit_garch(known, start=model) or model
        if model is None:
            found[start : start + len(block)] = fallback[block]
            continue
        path = model.variances(returns[1 : block[-1] + 1])
        found[start : start + len(block)] = model.ahead(path[block - 1], horizon)
    return np.maximum(found, 1e-12)


def log_har(train: Cases, test: Cases) -> Floats:
    """Forecast by pooled least squares of the log variance on its means of 1, 5 and 22 bars."""
    model = fit_log_variance(train.columns(*HAR), train.outcomes)
    return np.exp(model(test.columns(*HAR)))


def qlike_har(train: Cases, test: Cases) -> Floats:
    """Forecast by the same three columns, fitted to QLIKE itself."""
    model = fit_variance(train.columns(*HAR), train.outcomes, ridge=0.0)
    return np.exp(model(test.columns(*HAR)))


def unconditional(levels: tuple[float, ...]) -> Callable[[Cases, Cases], Floats]:
    """Return the quantiles of each instrument's own history."""

    def fit(train: Cases, test: Cases) -> Floats:
        return _by_symbol(train, test, train.outcomes, levels)

    return fit


def filtered_history(levels: tuple[float, ...]) -> Callable[[Cases, Cases], Floats]:
    """Return EWMA's deviation times the quantiles of past returns over theirs (FHS)."""

    def fit(train: Cases, test: Cases) -> Floats:
        score = train.outcomes / _deviation(train)
        return _deviation(test)[:, None] * _by_symbol(train, test, score, levels)

    return fit


def pooled_filtered_history(levels: tuple[float, ...]) -> Callable[[Cases, Cases], Floats]:
    """Return the same with one set of quantiles for all instruments."""

    def fit(train: Cases, test: Cases) -> Floats:
        score = np.quantile(train.outcomes / _deviation(train), levels)
        return np.asarray(_deviation(test)[:, None] * score, dtype=np.float64)

    return fit


def ewma_normal(levels: tuple[float, ...]) -> Callable[[Cases, Cases], Floats]:
    """Return EWMA's deviation times the normal distribution's quantiles."""
    score = np.array([NormalDist().inv_cdf(level) for level in levels])
    return lambda _, test: np.asarray(_deviation(test)[:, None] * score, dtype=np.float64)


def rolling_history(panel: Panel, cases: Cases, levels: tuple[float, ...]) -> Floats:
    """Return the quantiles of the last 250 returns over the horizon that were over by then."""
    out = np.full((len(cases), len(levels)), np.nan)
    for index, series in enumerate(panel.series):
        mine = cases.symbols == index
        if not mine.any():
            continue
        total = np.log(np.where(series.total > 0.0, series.total, np.nan))
        past = total - trailing.lagged(total, cases.horizon)
        places = np.searchsorted(series.times, cases.times[mine])
        found = trailing.windows(past, ROLLING_BARS)[places]
        out[mine] = np.nanquantile(found, levels, axis=1).T
    return out


def climatology(train: Cases, test: Cases) -> Floats:
    """Return how often the event has happened so far, over all instruments."""
    return np.full(len(test), _rate(train.outcomes))


def persistence(column: str) -> Callable[[Cases, Cases], Floats]:
    """Return how often the event came after a bar that was in the same state (`column`: 0 or 1)."""

    def fit(train: Cases, test: Cases) -> Floats:
        before = train.column(column)
        rates = [_rate(train.outcomes[before == state]) for state in (0.0, 1.0)]
        return np.where(test.column(column) == 1.0, rates[1], rates[0])

    return fit


def distance(column: str, threshold: str) -> Callable[[Cases, Cases], Floats]:
    """Return a logistic curve of how far a column lies above a threshold: graded persistence."""

    def fit(train: Cases, test: Cases) -> Floats:
        past = train.column(column) - train.column(threshold)
        model = fit_logit(past[:, None], train.outcomes, ridge=1.0)
        return sigmoid(model((test.column(column) - test.column(threshold))[:, None]))

    return fit


def ewma_column(series: Series) -> dict[str, Floats]:
    """Return what `cases_of` adds for the baselines above that read EWMA's variance."""
    return {"ewma": ewma_variance(series)}


def _deviation(cases: Cases) -> Floats:
    return np.sqrt(cases.horizon * cases.column("ewma"))


def _rate(happened: Floats) -> float:
    return float((happened.sum() + 0.5) / (len(happened) + 1.0))


def _by_symbol(train: Cases, test: Cases, scores: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles of each instrument's scores; of all of them where it has fewer than 100."""
    out = np.tile(np.quantile(scores, levels), (len(test), 1))
    for symbol in np.unique(test.symbols):
        own = scores[train.symbols == symbol]
        if len(own) >= 100:
            out[test.symbols == symbol] = np.quantile(own, levels)
    return np.asarray(out, dtype=np.float64)
