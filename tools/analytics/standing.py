"""Which signals were valid at each bar, as conditions see them. Pure; no bar reads a later one."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tools.analytics import composite, indicators, signals
from tools.analytics.composite import Composite
from tools.analytics.condition_parts import Standing
from tools.analytics.prices import Prices
from tools.analytics.signals import VALID_BARS, Firing

_LONGEST = max(VALID_BARS.values())
"""Bars that any signal can be valid for."""


def standing(prices: Prices, bars: Sequence[int] | None = None) -> dict[int, list[Standing]]:
    """Return the signals valid at each of `bars` (all by default), newest first."""
    found = indicators.compute(prices)
    weighed = composite.combine(prices, found)
    firings = signals.fire(prices, found, weighed)
    fired_at = np.array([firing.bar for firing in firings], dtype=np.int64)
    wanted = range(len(prices)) if bars is None else bars
    return {bar: _at(firings, fired_at, weighed, bar) for bar in wanted}


def _at(
    firings: Sequence[Firing], fired_at: np.ndarray, weighed: Composite, bar: int
) -> list[Standing]:
    # What fired earlier is over, and what fired later is not known.
    first = int(np.searchsorted(fired_at, bar - _LONGEST, side="right"))
    last = int(np.searchsorted(fired_at, bar, side="right"))
    held = signals.active(list(firings[first:last]), weighed, bar)
    return [Standing(one.type, _direction(one.side), one.bar == bar) for one in held]


def _direction(side: int) -> Literal["bullish", "bearish", "neutral"]:
    return "bullish" if side > 0 else "bearish" if side < 0 else "neutral"
