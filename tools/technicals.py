"""The technical picture at the last bar, as JSON: shared by several tools."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.analytics import indicators, levels, trend, volatility
from tools.analytics.indicators import SETTLED, WARM_UP, Indicators
from tools.analytics.levels import Level
from tools.analytics.prices import BARS_A_YEAR
from tools.analytics.trend import Trend
from tools.analytics.volatility import Volatility
from tools.history import History


@dataclass(frozen=True, eq=False)
class Technicals:
    """Everything computed at the last bar of a history."""

    indicators: Indicators
    trend: Trend | None
    support: list[Level]
    resistance: list[Level]
    month: Volatility | None
    """Over 20 bars."""
    quarter: Volatility | None
    """Over 60 bars."""

    @property
    def levels(self) -> list[Level]:
        return [*self.support, *self.resistance]


def look(history: History) -> Technicals:
    """Compute the technical picture."""
    prices = history.prices
    computed = indicators.compute(prices)
    atr = float(computed.atr[-1])
    support, resistance = levels.find(prices, atr=atr)
    a_year = BARS_A_YEAR[history.bars.timeframe]
    return Technicals(
        indicators=computed,
        trend=trend.fit(prices.close, atr=atr),
        support=support,
        resistance=resistance,
        month=volatility.measure(prices.total, 20, a_year=a_year),
        quarter=volatility.measure(prices.total, 60, a_year=a_year),
    )


def seed_shape(technicals: Technicals, *, bar: int = -1) -> dict[str, Any]:
    """Return the picture as the data model's `TechnicalAnalysis`, null where not ready.

    `bar` is where the indicators are read; trend and levels are those of the picture.
    """
    i, line = technicals.indicators, technicals.trend
    return {
        "rsi": number(i.rsi[bar]),
        "macd": {
            "macd": number(i.macd[bar]),
            "signal": number(i.macd_signal[bar]),
            "histogram": number(i.macd_histogram[bar]),
        },
        "movingAverages": {
            name: number(getattr(i, name)[bar])
            for name in ("sma20", "sma50", "sma200", "ema12", "ema26")
        },
        "bollingerBands": {
            "upper": number(i.upper[bar]),
            "middle": number(i.middle[bar]),
            "lower": number(i.lower[bar]),
            "width": number(i.bandwidth[bar]),
        },
        "support": [level.price for level in technicals.support],
        "resistance": [level.price for level in technicals.resistance],
        "trendLine": None
        if line is None
        else {
            "slope": line.slope,
            "intercept": line.intercept,
            "r2": line.r2,
            "direction": line.direction,
        },
    }


def not_ready(bars: int) -> dict[str, str]:
    """Return, for each value that is null, why."""
    needs = {
        **WARM_UP, "trend": trend.BARS, "volatility20": 21, "volatility60": 61, "obvChange20": 21,
    }  # fmt: skip
    return {
        name: f"needs {count} bars, there are {bars}"
        for name, count in needs.items()
        if bars < count
    }


def settled(bars: int) -> bool:
    """Return whether there is history enough that its beginning no longer shows in any value."""
    return bars >= SETTLED


def number(value: Any) -> float | None:
    """Return a JSON number, None for NaN and infinities."""
    plain = float(value)
    return plain if np.isfinite(plain) else None


UNITS = {
    "value": "index 0-100",
    "rsi": "index 0-100",
    "adx": "index 0-100",
    "plusDi": "index 0-100",
    "minusDi": "index 0-100",
    "k": "index 0-100",
    "d": "index 0-100",
    "obvChange20": "shares",
    "percentileRank": "%",
    "rankedDays": "days",
    "width": "share of the middle band",
    "percentB": "0 lower band, 1 upper band",
    "r2": "0-1",
    "slopePercent": "% a day",
    "slopePerAtr": "average true ranges a day",
    "dailyPercent": "%",
    "annualisedPercent": "% a year",
    "usualLowPercent": "% a day",
    "usualHighPercent": "% a day",
    "atrPercent": "% of the close",
    "distancePercent": "%",
    "bars": "daily bars",
    "newestBarAgeDays": "days",
    "suspectBars": "bars",
    "touches": "times",
    "period": "daily bars",
    "closes": "daily bars",
}


def of_bars(units: dict[str, str], timeframe: str) -> dict[str, str]:
    """Return the units as they are on bars of a timeframe, where they speak of days."""
    if timeframe == "1d":
        return units
    said = {"daily bars": f"{timeframe} bars", "days": f"{timeframe} bars"}
    return {
        key: unit if key == "newestBarAgeDays" else said.get(unit, unit.replace(" a day", " a bar"))
        for key, unit in units.items()
    }


def used(units: dict[str, str], data: Any) -> dict[str, str]:
    """Return the units of the keys that occur in `data`: a model pays for every one it reads."""
    found: set[str] = set()

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            found.update(value)
            for inner in value.values():
                visit(inner)
        elif isinstance(value, list):
            for inner in value:
                visit(inner)

    visit(data)
    return {key: unit for key, unit in units.items() if key in found}


def units(currency: str) -> dict[str, str]:
    """Return the units of everything in the picture."""
    prices = ("close", "macd", "signal", "histogram", "sma20", "sma50", "sma200", "ema12", "ema26",
              "upper", "middle", "lower", "price", "support", "resistance", "intercept",
              "atr")  # fmt: skip
    return {**dict.fromkeys(prices, currency), **UNITS, "slope": f"{currency} a day"}
