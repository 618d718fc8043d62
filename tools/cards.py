"""What a client draws beside an answer: candles with overlays, and a signal with its record.

Cards are pictures. Their numbers are rounded for drawing; exact ones are in the tool's `data`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np

from tools.analytics.indicators import Indicators
from tools.analytics.levels import Level
from tools.analytics.prices import Floats
from tools.analytics.signals import Firing
from tools.analytics.trend import Trend
from tools.history import History
from tools.market.bars import Bars
from tools.tool import Card

SHOWN = 260
"""Bars in a chart: a year and a little."""
Overlays = Literal["averages", "all"]


def chart(
    history: History,
    indicators: Indicators,
    *,
    overlays: Overlays = "averages",
    panes: Sequence[Literal["RSI", "MACD"]] = ("RSI",),
    levels: Sequence[Level] = (),
    line: Trend | None = None,
    firings: Sequence[Firing] = (),
    shown: int = SHOWN,
) -> Card:
    """Return the candles of the last `shown` bars with what was computed on them."""
    bars = history.bars
    start = max(0, len(bars) - shown)
    times = bars.epochs()[start:].tolist()
    digits = _digits(float(bars.close[-1]))

    def points(values: Floats, places: int = digits) -> list[list[float]]:
        return [
            [time, round(float(value), places)]
            for time, value in zip(times, values[start:], strict=True)
            if not np.isnan(value)
        ]

    drawn = {"SMA 20": indicators.sma20, "SMA 50": indicators.sma50, "SMA 200": indicators.sma200}
    if overlays == "all":
        drawn |= {"Upper band": indicators.upper, "Lower band": indicators.lower}
    below: list[dict[str, Any]] = []
    if "RSI" in panes:
        lines = [{"name": "RSI (14)", "points": points(indicators.rsi, 1)}]
        below.append({"name": "RSI", "lines": lines, "levels": [30, 70]})
    if "MACD" in panes:
        macd = {"MACD": indicators.macd, "Signal": indicators.macd_signal}
        lines = [{"name": name, "points": points(v, digits + 1)} for name, v in macd.items()]
        below.append({"name": "MACD", "lines": lines, "levels": [0]})
    content: dict[str, Any] = {
        **_heading(history),
        "bars": _candles(bars, start),
        "overlays": [
            {"name": name, "kind": "line", "points": drawn_points}
            for name, values in drawn.items()
            if (drawn_points := points(values))
        ],
        "panes": [pane for pane in below if all(line["points"] for line in pane["lines"])],
        "markers": [
            {
                "time": times[firing.bar - start],
                "text": firing.type.replace("_", " "),
                "direction": direction(firing.side),
            }
            for firing in firings
            if firing.bar >= start
        ],
        "levels": [{"price": round(lv.price, digits), "kind": lv.kind} for lv in levels],
    }
    if line is not None:
        first = len(bars) - line.bars
        content["trendLine"] = {
            "direction": line.direction,
            "points": [
                [int(bars.epochs()[first]), round(line.at(0), digits)],
                [int(bars.epochs()[-1]), round(line.at(line.bars - 1), digits)],
            ],
        }
    return Card(activity_type="chart.candles", content=content)


def compared(history: History, others: Sequence[History]) -> Card:
    """Return the candles of one history with the closes of others, all starting at one price."""
    bars = history.bars
    start = max(0, len(bars) - SHOWN)
    shown, digits = bars.slice(start), _digits(float(bars.close[-1]))
    lines = []
    for other in others:
        _, here, there = np.intersect1d(
            shown.timestamps, other.bars.timestamps, assume_unique=True, return_indices=True
        )
        if not len(here):
            continue
        scale = shown.close[here[0]] / other.bars.close[there[0]]
        closes = np.round(other.bars.close[there] * scale, digits).tolist()
        points = zip(shown.epochs()[here].tolist(), closes, strict=True)
        lines.append({"name": other.symbol, "kind": "line", "points": [list(p) for p in points]})
    return Card(
        activity_type="chart.candles",
        content={
            **_heading(history),
            "title": f"{history.symbol}, others from the same price",
            "bars": _candles(bars, start),
            "overlays": lines,
            "panes": [],
            "markers": [],
            "levels": [],
        },
    )


def signal(history: History, content: Mapping[str, Any]) -> Card:
    """Return the signal card: `content` with the instrument it speaks of."""
    return Card(
        activity_type="signal",
        content={**_heading(history), **content},
    )


def _heading(history: History) -> dict[str, Any]:
    return {
        "symbol": history.symbol,
        "name": history.instrument.name,
        "currency": history.instrument.currency,
        "timeframe": history.bars.timeframe,
        "source": history.instrument.source,
        "asOf": stamp(history.as_of),
    }


def _candles(bars: Bars, start: int) -> list[list[float]]:
    digits = _digits(float(bars.close[-1]))
    prices = (bars.open, bars.high, bars.low, bars.close)
    columns = [np.round(column[start:], digits).tolist() for column in prices]
    volumes = bars.volume[start:].astype(np.int64).tolist()
    rows = zip(bars.epochs()[start:].tolist(), *columns, volumes, strict=True)
    return [list(row) for row in rows]


def direction(side: int) -> Literal["bullish", "bearish", "neutral"]:
    """Return the seed's word for a side."""
    return "bullish" if side > 0 else "bearish" if side < 0 else "neutral"


def stamp(time: datetime) -> str:
    """Return a UTC time as ISO 8601 ending in Z."""
    return time.isoformat().replace("+00:00", "Z")


def _digits(price: float) -> int:
    """Return how many decimals a price of this size is drawn with: about five figures."""
    return int(min(8, max(2, 4 - np.floor(np.log10(abs(price)))))) if price else 2
