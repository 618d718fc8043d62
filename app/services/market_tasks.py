"""What forecasts of prices speak of: the outcome that is counted, its loss, and words for both.

Pure. One definition of each outcome serves training, settlement and what people are told.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.domain.predictions import BaselineForecast, Interval, Prediction, PredictionOutput
from inference.panel import Series
from inference.requests import Floats

_BODY = 2.0 * math.log(2.0) - 1.0
_GAP = "\u00a0"


def variances(series: Series) -> Floats:
    """Return each bar's variance: Garman and Klass's, plus the squared gap before it."""
    out = np.full(len(series), np.nan)
    if len(series) < 2:
        return out
    with np.errstate(divide="ignore", invalid="ignore"):
        span = np.log(series.high / series.low)
        body = np.log(series.close / series.open)
        gap = np.log(series.open[1:] / series.close[:-1])
    out[1:] = np.maximum(0.5 * span**2 - _BODY * body**2, 0.0)[1:] + gap**2
    return out


def realised_variance(series: Series, at: int, horizon: int) -> float:
    """Return the mean variance a bar of the `horizon` bars after position `at`."""
    return float(np.mean(variances(series)[at + 1 : at + 1 + horizon]))


def total_return(series: Series, at: int, horizon: int) -> float:
    """Return the log return with dividends over the `horizon` bars after position `at`."""
    return float(np.log(series.total[at + horizon] / series.total[at]))


def is_turbulent(series: Series, at: int, horizon: int) -> bool:
    """Tell whether the variance ahead lies above the 75th percentile of all that were known."""
    every = variances(series)
    known = np.convolve(every[1 : at + 1], np.ones(horizon) / horizon, mode="valid")
    return bool(realised_variance(series, at, horizon) > np.quantile(known, 0.75))


def has_risen(series: Series, at: int, horizon: int) -> bool:
    """Tell whether the return over the horizon is above zero."""
    return total_return(series, at, horizon) > 0.0


def qlike(forecast: float, outcome: float) -> float:
    """Return how far a variance forecast was off: 0 is perfect, and scale does not matter."""
    if forecast <= 0.0:
        return math.nan
    ratio = max(outcome, 1e-12) / forecast
    return ratio - math.log(ratio) - 1.0


def pinball(quantiles: Mapping[str, float], outcome: float) -> float:
    """Return the mean pinball loss over the quantiles (level -> value)."""
    losses = []
    for level, value in quantiles.items():
        share, miss = float(level), outcome - value
        losses.append(max(share * miss, (share - 1.0) * miss))
    return float(np.mean(losses))


def brier(probabilities: Mapping[str, float], event: str, happened: bool) -> float:
    """Return the squared error of the probability of the event."""
    return (probabilities[event] - float(happened)) ** 2


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
    happened: Callable[[Series, int, int], float | bool]
    """Of a series, the position of the forecast and the horizon; a bool for an event."""
    words: Callable[[float], str]
    """A value for people."""
    phrases: tuple[str, str] = ("", "")
    """For people: what it is called when the event happened, and when not."""

    @property
    def is_event(self) -> bool:
        return self.metric == "Brier score"


def daily_move(variance: float) -> str:
    """Return a mean daily variance as the move a bar that it means: "1.3 % a bar"."""
    return f"{100 * math.sqrt(max(variance, 0.0)):.1f}{_GAP}% a bar"


def signed_return(log_return: float) -> str:
    """Return a log return as a change in percent."""
    change = 100 * math.expm1(log_return)
    return f"{change:+.1f}{_GAP}%".replace("-", "−")


TASKS: dict[str, MarketTask] = {
    task.name: task
    for task in (
        MarketTask("variance", "QLIKE", True, realised_variance, daily_move),
        MarketTask("return_quantiles", "pinball loss", False, total_return, signed_return),
        MarketTask(
            "volatility_regime",
            "Brier score",
            False,
            is_turbulent,
            lambda p: f"{100 * p:.0f}{_GAP}%",
            ("a turbulent stretch", "a calm or normal stretch"),
        ),
        MarketTask(
            "direction",
            "Brier score",
            False,
            has_risen,
            lambda p: f"{100 * p:.0f}{_GAP}%",
            ("it rose", "it did not rise"),
        ),
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


def grade(task: MarketTask, prediction: Prediction, happened: float | bool) -> Graded:
    """Compare a forecast and its baseline with what happened."""
    output, baseline = prediction.output, prediction.baseline
    if output is None:
        raise ValueError(f"prediction {prediction.id} has no output")
    if task.is_event:
        return _graded_event(task, prediction, output, baseline, bool(happened))
    outcome = float(happened)
    quantiles = output.quantiles or _by_interval(output.value, prediction.interval)
    return Graded(
        value=outcome,
        words=task.words(outcome),
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
        words=task.phrases[0] if happened else task.phrases[1],
        hit=output.value == (event if happened else classes[0]),
        loss=brier(output.probabilities, event, happened),
        baseline_loss=brier(beside, event, happened) if beside and event in beside else None,
        pit=None,
    )


def _loss(
    task: MarketTask, value: Any, quantiles: Mapping[str, float] | None, outcome: float
) -> float | None:
    if task.metric == "QLIKE":
        loss = qlike(float(value), outcome)
        return None if math.isnan(loss) else loss
    return pinball(quantiles, outcome) if quantiles else None


def _inside(interval: Interval | None, outcome: float) -> bool | None:
    return None if interval is None else interval.low <= outcome <= interval.high


def _by_interval(value: Any, interval: Interval | None) -> dict[str, float]:
    if interval is None:
        return {}
    below = (1.0 - interval.level) / 2.0
    return {f"{below:g}": interval.low, f"{1.0 - below:g}": interval.high}
