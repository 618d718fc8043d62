"""What plain ways of forecasting say at the same moment, from the same bars. Pure.

Each is fitted on nothing but the panel it is given, which ends where the forecast is made: a
baseline has no more to go by than the model beside it.
"""

import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np

from app.domain.predictions import BaselineForecast, Interval
from inference.datasets.market_targets import variances
from inference.panel import Panel, Series
from inference.requests import Floats

LEAST_ROWS = 250
"""With fewer past cases nothing is fitted, and no baseline is given."""
DECAY = 0.94
"""RiskMetrics: how much of yesterday's variance is remembered."""
_FLOOR = 1e-12
_LEVEL = 0.8
_MONTH = 22


_fits: WeakKeyDictionary[Panel, dict[int, tuple[Floats, Floats] | None]] = WeakKeyDictionary()
"""A panel is fitted once, however many of its instruments are forecast."""


def log_har(panel: Panel, symbol: str, horizon: int) -> BaselineForecast | None:
    """Forecast the mean variance by the logarithms of the last bar's, week's and month's."""
    fits = _fits.setdefault(panel, {})
    if horizon not in fits:
        fits[horizon] = _fit_har(panel, horizon)
    fitted, now = fits[horizon], _har_rows(panel.of(symbol))[-1]
    if fitted is None or not np.isfinite(now).all():
        return None
    weights, residuals = fitted
    middle = float(weights[0] + now @ weights[1:])
    low, high = np.quantile(residuals, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return BaselineForecast(
        name="log-HAR",
        # The mean of a log-normal lies above the exponential of its mean: Duan's smearing.
        value=math.exp(middle) * float(np.mean(np.exp(residuals))),
        interval=Interval(low=math.exp(middle + low), high=math.exp(middle + high), level=_LEVEL),
    )


def _fit_har(panel: Panel, horizon: int) -> tuple[Floats, Floats] | None:
    """Return the weights over the whole panel, and what they leave unexplained."""
    columns, targets = [], []
    for series in panel.series:
        rows, ahead = _har_rows(series), _ahead(variances(series), horizon)
        usable = np.isfinite(rows).all(axis=1) & np.isfinite(ahead)
        columns.append(rows[usable])
        targets.append(np.log(np.maximum(ahead[usable], _FLOOR)))
    x, y = np.concatenate(columns), np.concatenate(targets)
    if len(y) < LEAST_ROWS:
        return None
    design = np.column_stack([np.ones(len(x)), x])
    weights, *_ = np.linalg.lstsq(design, y, rcond=None)
    return weights, y - design @ weights


def filtered_history(
    panel: Panel, symbol: str, horizon: int, levels: tuple[float, ...]
) -> BaselineForecast | None:
    """Forecast return quantiles by past returns, each divided by the volatility of its day."""
    series = panel.of(symbol)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_total = np.log(series.total)
    steps = np.diff(log_total, prepend=np.nan)
    scale = np.sqrt(_ewma(steps**2))
    ahead = np.full(len(series), np.nan)
    ahead[:-horizon] = log_total[horizon:] - log_total[:-horizon]
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = ahead / scale
    standard = standard[np.isfinite(standard)]
    if len(standard) < LEAST_ROWS or not np.isfinite(scale[-1]):
        return None
    quantiles = np.quantile(standard, levels) * scale[-1]
    middle = float(np.quantile(standard, 0.5) * scale[-1])
    below, above = np.quantile(standard, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]) * scale[-1]
    return BaselineForecast(
        name="filtered historical simulation",
        value=middle,
        interval=Interval(low=float(below), high=float(above), level=_LEVEL),
        quantiles={
            f"{level:g}": float(value) for level, value in zip(levels, quantiles, strict=True)
        },
    )


def persistence(
    panel: Panel, symbol: str, horizon: int, classes: tuple[str, ...]
) -> BaselineForecast | None:
    """Forecast turbulence by how often it followed a stretch like the last one."""
    every = variances(panel.of(symbol))
    means = _behind(every, horizon)
    states = _turbulent(means)
    now = states[-1]
    then, after = states[:-horizon], states[horizon:]
    known = np.isfinite(then) & np.isfinite(after)
    if int(known.sum()) < LEAST_ROWS or not math.isfinite(now):
        return None
    like = after[known & (then == now)]
    if not len(like):
        return None
    return _of_event("persistence", float(np.mean(like)), classes)


def base_rate(
    panel: Panel, symbol: str, horizon: int, classes: tuple[str, ...]
) -> BaselineForecast | None:
    """Forecast a rise by how often the price rose over so many bars before."""
    total = panel.of(symbol).total
    if len(total) - horizon < LEAST_ROWS:
        return None
    return _of_event("base rate", float(np.mean(total[horizon:] > total[:-horizon])), classes)


def baseline(
    task: str,
    panel: Panel,
    symbol: str,
    horizon: int,
    *,
    levels: tuple[float, ...],
    classes: tuple[str, ...],
) -> BaselineForecast | None:
    """Return the baseline of a task; None where there is none, or too little history."""
    if len(panel.of(symbol)) <= horizon + 1:
        return None
    plain: dict[str, Callable[[], BaselineForecast | None]] = {
        "variance": lambda: log_har(panel, symbol, horizon),
        "return_quantiles": lambda: filtered_history(panel, symbol, horizon, levels or (0.5,)),
        "volatility_regime": lambda: persistence(panel, symbol, horizon, classes),
        "direction": lambda: base_rate(panel, symbol, horizon, classes),
    }
    return plain[task]() if task in plain else None


def _of_event(name: str, share: float, classes: tuple[str, ...]) -> BaselineForecast | None:
    if len(classes) != 2:
        return None
    return BaselineForecast(
        name=name,
        value=classes[1] if share > 0.5 else classes[0],
        probabilities={classes[0]: 1.0 - share, classes[1]: share},
    )


def _har_rows(series: Series) -> Floats:
    """Return per bar the logarithms of the mean variance of the last bar, week and month."""
    every = variances(series)
    means = [_behind(every, bars) for bars in (1, 5, _MONTH)]
    return np.log(np.maximum(np.column_stack(means), _FLOOR))


def _behind(values: Floats, bars: int) -> Floats:
    """Return the mean of the last `bars` values at each bar; NaN while one is missing."""
    out = np.full(len(values), np.nan)
    if len(values) > bars:
        out[bars:] = np.convolve(values[1:], np.ones(bars) / bars, mode="valid")
    return out


def _ahead(values: Floats, bars: int) -> Floats:
    """Return the mean of the next `bars` values at each bar; NaN where they are not there yet."""
    out = np.full(len(values), np.nan)
    if len(values) > bars:
        out[:-bars] = _behind(values, bars)[bars:]
    return out


def _turbulent(means: Floats) -> Floats:
    """Return 1 where a mean lies above the 75th percentile of those before it, else 0."""
    states = np.full(len(means), np.nan)
    first = int(np.argmax(np.isfinite(means))) if np.isfinite(means).any() else len(means)
    known = np.sort(means[first : first + 60])
    for index in range(first + 60, len(means)):
        states[index] = float(means[index] > np.quantile(known, 0.75))
        known = np.insert(known, np.searchsorted(known, means[index]), means[index])
    return states


def _ewma(squares: Floats) -> Floats:
    """Return the exponentially weighted mean of squares at each bar."""
    out = np.full(len(squares), np.nan)
    level = math.nan
    for index, square in enumerate(squares.tolist()):
        if math.isfinite(square):
            level = square if math.isnan(level) else DECAY * level + (1 - DECAY) * square
        out[index] = level
    return out
