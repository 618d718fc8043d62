"""What a condition is made of: comparisons, signals, and groups of them. Values only."""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import msgspec

Operator = Literal[">", ">=", "<", "<=", "crosses_above", "crosses_below"]
OPERATORS: tuple[str, ...] = get_args(Operator)
DIRECTIONS = ("bullish", "bearish", "neutral")
SIGNALS = (
    "entry",
    "exit",
    "trend_change",
    "volatility",
    "volume_spike",
    "breakout",
    "reversal",
)
DEEPEST = 4
"""Levels of nesting, a lone leaf being one."""
MOST_LEAVES = 20

Snapshot = Mapping[str, float | None]
"""Field -> its value at one bar; None (or NaN, or no entry) while it is not ready."""

LABELS: dict[str, str] = {
    "close": "close",
    "open": "open",
    "high": "high",
    "low": "low",
    "volume": "volume",
    "changePercent": "change on the day (%)",
    "rsi": "RSI",
    "macd": "MACD",
    "macdSignal": "MACD signal line",
    "macdHistogram": "MACD histogram",
    "sma20": "SMA 20",
    "sma50": "SMA 50",
    "sma200": "SMA 200",
    "ema12": "EMA 12",
    "ema26": "EMA 26",
    "bollingerUpper": "upper Bollinger band",
    "bollingerMiddle": "middle Bollinger band",
    "bollingerLower": "lower Bollinger band",
    "bandwidth": "Bollinger bandwidth",
    "percentB": "Bollinger %B",
    "atr": "ATR",
    "atrPercent": "ATR (% of the close)",
    "adx": "ADX",
    "plusDi": "+DI",
    "minusDi": "-DI",
    "obv": "OBV",
    "stochasticK": "stochastic %K",
    "stochasticD": "stochastic %D",
    "volatility20": "20-bar volatility (%)",
    "volatility60": "60-bar volatility (%)",
    "volumeRatio": "volume over its 50-bar mean",
    "trendSlope": "trend slope",
    "trendR2": "trend R²",
    "strength": "composite strength",
    "high52w": "52-week high",
    "low52w": "52-week low",
    "fromHigh52wPercent": "distance from the 52-week high (%)",
}
"""How each field is said in a sentence; the keys are those of
`snapshot.FIELDS`."""


class BadCondition(ValueError):
    """The JSON is no condition; the message says where, what was wrong and what is allowed."""


class Times(msgspec.Struct, frozen=True):
    """Another field of the same bar, times a factor."""

    field: str
    times: float = 1.0


class Comparison(msgspec.Struct, frozen=True):
    """A field against a number or another field.

    It crosses above when it is above now and was at or below at the bar before; below likewise.
    """

    field: str
    op: Operator
    value: float | Times


class Signalled(msgspec.Struct, frozen=True):
    """A signal is valid at the bar or, with `fired`, fired at this very bar."""

    signal: str
    direction: str | None = None
    """None: any."""
    fired: bool = False


class All(msgspec.Struct, frozen=True):
    """Every part holds."""

    parts: "tuple[Condition, ...]"


class AnyOf(msgspec.Struct, frozen=True):
    """At least one part holds."""

    parts: "tuple[Condition, ...]"


class Not(msgspec.Struct, frozen=True):
    """The part does not hold."""

    part: "Condition"


Leaf = Comparison | Signalled
Condition = Comparison | Signalled | All | AnyOf | Not


class Standing(msgspec.Struct, frozen=True):
    """A signal as a condition sees it: valid at the bar, and whether it fired at this very bar."""

    type: str
    direction: str
    fired: bool = False


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield each comparison and signal, in the order they are written."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition
