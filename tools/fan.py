"""The forecast card: the last closes, and where the price may go, as a fan beside its baseline.

A picture: its paths grow with the square root of time between now and the horizon, whatever the
model says of the end. Exact numbers are in the tool's `data`.
"""

import math
from datetime import date, timedelta
from typing import Any

import numpy as np

from tools.cards import stamp
from tools.forecast_book import Told, What
from tools.history import History
from tools.market.bars import TIMEFRAMES
from tools.market.calendars import calendar_for
from tools.tool import Card

TAIL = 60
"""Closes that are drawn before the fan."""
_USUAL = {0.1: -1.2816, 0.25: -0.6745, 0.5: 0.0, 0.75: 0.6745, 0.9: 1.2816}
"""Quantiles of a normal: how a variance is drawn, which says nothing of a shape."""


def forecast(history: History, told: Told, what: What, data: dict[str, Any]) -> Card:
    """Return the card of a forecast."""
    bars = history.bars
    tail = bars.slice(max(0, len(bars) - TAIL))
    close = float(bars.close[-1])
    times = _ahead(history, told.horizon_bars)
    model, baseline = _spread(told, what), _baseline_spread(told, what)
    content: dict[str, Any] = {
        "symbol": history.symbol,
        "name": history.instrument.name,
        "currency": history.instrument.currency,
        "timeframe": bars.timeframe,
        "source": history.instrument.source,
        "asOf": stamp(history.as_of),
        "title": _title(history, told, what),
        "history": [
            [time, round(price, 4)]
            for time, price in zip(tail.epochs().tolist(), tail.close.tolist(), strict=True)
        ],
        "fan": _paths(close, int(bars.epochs()[-1]), times, model),
        "baselineFan": _paths(close, int(bars.epochs()[-1]), times, baseline),
    }
    shown = ("what", "event", "horizonBars", "expectedPercent", "probabilityPercent", "answer",
             "interval", "quantiles", "baseline", "edge", "skill", "confidence", "contributions",
             "model", "modelId", "predictionId", "resolvesAt", "degraded",
             "askedModel", "degradedBecause")  # fmt: skip
    return Card(
        activity_type="forecast",
        content=content | {key: data[key] for key in shown if key in data},
    )


def _spread(told: Told, what: What) -> dict[float, float]:
    """Return level -> log return at the horizon."""
    if what == "returns":
        return told.quantiles
    return _of_variance(told.value, told.horizon_bars) if what == "volatility" else {}


def _baseline_spread(told: Told, what: What) -> dict[float, float]:
    if what == "returns":
        return told.baseline_quantiles
    if what != "volatility" or told.baseline_value is None:
        return {}
    return _of_variance(told.baseline_value, told.horizon_bars)


def _of_variance(variance: Any, horizon: int) -> dict[float, float]:
    spread = math.sqrt(max(float(variance), 0.0) * horizon)
    return {level: z * spread for level, z in _USUAL.items()}


def _paths(
    close: float, now: int, times: list[int], spread: dict[float, float]
) -> list[dict[str, Any]]:
    """Return one line of prices a level, from the last close to the horizon."""
    middle = spread.get(0.5, 0.0)
    lines = []
    for level, end in sorted(spread.items()):
        points: list[list[float]] = [[now, round(close, 4)]]
        for step, time in enumerate(times, start=1):
            share = step / len(times)
            moved = middle * share + (end - middle) * math.sqrt(share)
            points.append([time, round(close * math.exp(moved), 4)])
        lines.append({"level": level, "points": points})
    return lines


def _ahead(history: History, count: int) -> list[int]:
    """Return when the next bars should open, seconds since 1970."""
    frame = history.bars.timeframe
    if frame != "1d":
        step = int(TIMEFRAMES[frame].total_seconds())
        last = int(history.bars.epochs()[-1])
        return [last + step * ahead for ahead in range(1, count + 1)]
    calendar = calendar_for(history.instrument.exchange, history.instrument.kind)
    last_day = history.bars.day(-1)
    days = calendar.sessions(last_day + timedelta(days=1), _far(last_day, count))[:count]
    return [int(day.astype("datetime64[s]").astype(np.int64)) for day in days]


def _far(day: date, sessions: int) -> date:
    return day + timedelta(days=3 * sessions + 30)


def _title(history: History, told: Told, what: What) -> str:
    kinds = {
        "volatility": "how much it may move",
        "returns": "where it may be",
        "regime": "how likely a turbulent stretch is",
        "direction": "how likely it is higher",
    }
    return f"{history.symbol}, next {told.horizon_bars} bars: {kinds[what]}"
