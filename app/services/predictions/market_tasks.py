"""What forecasts of prices speak of: the outcome that is counted, its loss, and words for both.

Pure. The outcomes and losses are those that models are trained on and evaluated by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.domain.forecast_words import HAPPENED, outcome_words
from app.domain.predictions import BaselineForecast, Interval, Prediction, PredictionOutput
from inference.datasets.market_targets import (
    return_ahead,
    rise_ahead,
    turbulence_ahead,
    variance_ahead,
)
from inference.panel import Series
from inference.training.evaluation import losses


def realised_variance(series: Series, at: int, horizon: int) -> float:
    """Return the mean variance a bar of the `horizon` bars after position `at`."""
    return float(variance_ahead(series, horizon)[at])


def total_return(series: Series, at: int, horizon: int) -> float:
    """Return the log return with dividends over the `horizon` bars after position `at`."""
    return float(return_ahead(series, horizon)[at])


def is_turbulent(series: Series, at: int, horizon: int) -> float:
    """Return 1 if the variance ahead lies above the 75th percentile that was known, else 0."""
    return float(turbulence_ahead(series, horizon)[at])


def has_risen(series: Series, at: int, horizon: int) -> float:
    """Return 1 if the return over the horizon is above zero, else 0."""
    return float(rise_ahead(series, horizon)[at])


def qlike(forecast: float, outcome: float) -> float | None:
    """Return how far a variance forecast was off: 0 is perfect, and scale does not matter."""
    if forecast <= 0.0 or outcome <= 0.0:
        return None
    return float(losses.qlike(np.array([outcome]), np.array([forecast]))[0])


def pinball(quantiles: Mapping[str, float], outcome: float) -> float:
    """Return the mean pinball loss over the quantiles (level -> value)."""
    levels = tuple(float(level) for level in quantiles)
    values = np.array([list(quantiles.values())])
    return float(losses.pinball(np.array([outcome]), values, levels)[0])


def brier(probabilities: Mapping[str, float], event: str, happened: bool) -> float:
    """Return the squared error of the probability of the event."""
    probability = np.array([probabilities[event]])
    return float(losses.brier(np.array([float(happened)]), probability)[0])


def pit_of(quantiles: Mapping[str, float], outcome: float) -> float | None:
    """Return where an outcome fell in its forecast distribution, 0 to 1.

    Between two quantiles it is interpolated; outside all of them it is half way to the end, which
    is all that is known there.
    """
    if len(quantiles) < 2:
        return None
    levels = sorted((float(level), value) for level, value in quantiles.items())
    shares, values = [one for one, _ in levels], [one for _, one in levels]
    if outcome < values[0]:
        return shares[0] / 2.0
    if outcome > values[-1]:
        return (1.0 + shares[-1]) / 2.0
    return float(np.interp(outcome, values, shares))


@dataclass(frozen=True)
class MarketTask:
    """One thing that models forecast of prices."""

    name: str
    metric: str
    positive: bool
    """Its quantity cannot be negative, so that it is measured by its logarithm."""
    happened: Callable[[Series, int, int], float]
    """Of a series, the position of the forecast and the horizon; of an event 1 or 0. NaN: it cannot
    be told."""

    @property
    def is_event(self) -> bool:
        return self.metric == "Brier score"


TASKS: dict[str, MarketTask] = {
    task.name: task
    for task in (
        MarketTask("variance", "QLIKE", True, realised_variance),
        MarketTask("return_quantiles", "pinball loss", False, total_return),
        MarketTask("volatility_regime", "Brier score", False, is_turbulent),
        MarketTask("direction", "Brier score", False, has_risen),
    )
}


@dataclass(frozen=True)
class Graded:
    """How a forecast did on what happened."""

    value: Any
    words: str
    hit: bool | None
    """None: it made no statement that can be right or wrong."""
    loss: float | None
    baseline_loss: float | None
    pit: float | None


def grade(task: MarketTask, prediction: Prediction, happened: float) -> Graded:
    """Compare a forecast and its baseline with what happened."""
    output, baseline = prediction.output, prediction.baseline
    if output is None:
        raise ValueError(f"prediction {prediction.id} has no output")
    if task.is_event:
        return _graded_event(task, prediction, output, baseline, bool(happened))
    outcome = happened
    quantiles = output.quantiles or _by_interval(output.value, prediction.interval)
    return Graded(
        value=outcome,
        words=outcome_words(task.name, outcome, timeframe=prediction.timeframe),
        hit=_inside(prediction.interval, outcome),
        loss=_loss(task, output.value, output.quantiles, outcome),
        baseline_loss=None
        if baseline is None
        else _loss(task, baseline.value, baseline.quantiles, outcome),
        pit=pit_of(quantiles, outcome),
    )


def _graded_event(
    task: MarketTask,
    prediction: Prediction,
    output: PredictionOutput,
    baseline: BaselineForecast | None,
    happened: bool,
) -> Graded:
    classes = list(prediction.metadata.get("classes", ()))
    if len(classes) != 2 or output.probabilities is None:
        raise ValueError(f"prediction {prediction.id} does not say which class is the event")
    event = classes[1]
    beside = None if baseline is None else baseline.probabilities
    return Graded(
        value=event if happened else classes[0],
        words=HAPPENED[task.name][0 if happened else 1],
        hit=output.value == (event if happened else classes[0]),
        loss=brier(output.probabilities, event, happened),
        baseline_loss=brier(beside, event, happened) if beside and event in beside else None,
        pit=None,
    )


def _loss(
    task: MarketTask, value: Any, quantiles: Mapping[str, float] | None, outcome: float
) -> float | None:
    if task.metric == "QLIKE":
        return qlike(float(value), outcome)
    return pinball(quantiles, outcome) if quantiles else None


def _inside(interval: Interval | None, outcome: float) -> bool | None:
    return None if interval is None else interval.low <= outcome <= interval.high


def _by_interval(value: Any, interval: Interval | None) -> dict[str, float]:
    if interval is None:
        return {}
    below = (1.0 - interval.level) / 2.0
    return {f"{below:g}": interval.low, f"{1.0 - below:g}": interval.high}
