"""One number for what the classic indicators say together: votes, weights, strength.

Each vote lies in [-1, 1]; the strength S = 100 * sum(w v) / sum(w) lies in [-100, 100]. It is a
heuristic and is never called a probability: what such days were followed by is measured in
`track_record`. News and fundamentals may vote too, with weight 0 until somebody has measured that
they help: they are shown and move nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.analytics.indicators import Indicators
from tools.analytics.prices import Floats, Prices
from tools.analytics.trend import lines

CALL = 30.0
"""Strength from which the votes together are a direction."""
LABEL = 0.25
"""Vote from which a single indicator is called buy or sell."""

WEIGHTS = {
    "RSI (14)": 1.0,
    "MACD histogram": 1.5,
    "Close vs SMA 20": 1.0,
    "Close vs SMA 50": 1.0,
    "Close vs SMA 200": 1.0,
    "SMA 50 vs SMA 200": 1.0,
    "Trend line (50)": 1.5,
    "Directional movement (14)": 1.0,
    "News sentiment": 0.0,
    "Fundamentals": 0.0,
}
UNMEASURED = ("News sentiment", "Fundamentals")
"""Votes that come from outside the prices."""
IN_PRICE = tuple(
    name for name in WEIGHTS if name.startswith(("MACD", "Close vs", "SMA", "Trend line"))
)
"""Indicators whose value is an amount of money, which a later split divides."""


@dataclass(frozen=True, eq=False)
class Composite:
    """One strength per bar, NaN until the trend line has its 50 bars."""

    strength: Floats
    votes: dict[str, Floats]
    """NaN where the indicator is not ready; it then takes no part in the sum."""
    values: dict[str, Floats]
    """What was voted on: RSI, histogram, distances in price, slope, +DI minus -DI."""


@dataclass(frozen=True)
class Vote:
    """What one indicator says at one bar."""

    name: str
    value: float
    weight: float
    vote: float
    signal: Literal["buy", "sell", "neutral"]


def combine(
    prices: Prices, indicators: Indicators, *, opinions: Mapping[str, Floats] | None = None
) -> Composite:
    """Return the votes and the strength at every bar.

    `opinions` are votes of `UNMEASURED` names, one value per bar in [-1, 1], NaN where there is
    none.

    Raises:
        ValueError: an opinion has another name or length.
    """
    slope, _, _, t_value = lines(prices.close)
    return weigh(prices.close, indicators, slope=slope, t_value=t_value, opinions=opinions)


def weigh(
    close: Floats,
    indicators: Indicators,
    *,
    slope: Floats,
    t_value: Floats,
    opinions: Mapping[str, Floats] | None = None,
) -> Composite:
    """Return the votes and the strength, element by element.

    The elements are the bars of one instrument, or the newest bars of many.
    """
    atr = indicators.atr
    directional = indicators.plus_di - indicators.minus_di
    values = {
        "RSI (14)": indicators.rsi,
        "MACD histogram": indicators.macd_histogram,
        "Close vs SMA 20": close - indicators.sma20,
        "Close vs SMA 50": close - indicators.sma50,
        "Close vs SMA 200": close - indicators.sma200,
        "SMA 50 vs SMA 200": indicators.sma50 - indicators.sma200,
        "Trend line (50)": slope,
        "Directional movement (14)": directional,
    }
    raw = {
        "RSI (14)": (indicators.rsi - 50.0) / 20.0,
        "MACD histogram": _in_atr(indicators.macd_histogram, 0.5 * atr),
        "Close vs SMA 20": _in_atr(values["Close vs SMA 20"], 2.0 * atr),
        "Close vs SMA 50": _in_atr(values["Close vs SMA 50"], 4.0 * atr),
        "Close vs SMA 200": _in_atr(values["Close vs SMA 200"], 8.0 * atr),
        "SMA 50 vs SMA 200": _in_atr(values["SMA 50 vs SMA 200"], 4.0 * atr),
        "Trend line (50)": t_value / 2.0,
        "Directional movement (14)": np.clip(directional / 25.0, -1.0, 1.0)
        * np.minimum(indicators.adx / 40.0, 1.0),
    }
    for name, opinion in (opinions or {}).items():
        if name not in UNMEASURED or len(opinion) != len(close):
            raise ValueError(f"{name!r} is none of {UNMEASURED}, or not one vote per bar")
        raw[name] = values[name] = opinion
    votes = {name: np.clip(vote, -1.0, 1.0) for name, vote in raw.items()}
    total, weight = np.zeros(len(close)), np.zeros(len(close))
    for name, vote in votes.items():
        ready = ~np.isnan(vote)
        total[ready] += WEIGHTS[name] * vote[ready]
        weight[ready] += WEIGHTS[name]
    strength = np.full(len(close), np.nan)
    np.divide(100.0 * total, weight, out=strength, where=(weight > 0) & ~np.isnan(t_value))
    return Composite(strength=strength, votes=votes, values=values)


def votes_at(composite: Composite, bar: int) -> list[Vote]:
    """Return the votes that are ready at `bar`, in the order of `WEIGHTS`."""
    out: list[Vote] = []
    for name, weight in WEIGHTS.items():
        if name not in composite.votes or np.isnan(composite.votes[name][bar]):
            continue
        vote = float(composite.votes[name][bar])
        value = float(composite.values[name][bar])
        out.append(Vote(name=name, value=value, weight=weight, vote=vote, signal=_label(vote)))
    return out


def opinion(name: str, *, value: float, vote: float) -> Vote:
    """Return a vote from outside the prices, which is shown with its weight and moves nothing.

    Raises:
        ValueError: it has another name than those of `UNMEASURED`.
    """
    if name not in UNMEASURED:
        raise ValueError(f"{name!r} is none of {UNMEASURED}")
    return Vote(name=name, value=value, weight=WEIGHTS[name], vote=vote, signal=_label(vote))


def _label(vote: float) -> Literal["buy", "sell", "neutral"]:
    if abs(vote) < LABEL:
        return "neutral"
    return "buy" if vote > 0 else "sell"


def _in_atr(distance: Floats, unit: Floats) -> Floats:
    """Return `distance` in `unit`, 0 where the price does not move at all."""
    out = np.where(np.isnan(distance) | np.isnan(unit), np.nan, 0.0)
    np.divide(distance, unit, out=out, where=unit > 0)
    return out
