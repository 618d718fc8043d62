"""Prices where the market turned before: support below the close, resistance above.

Drawing aids, nothing more: measured, prices bounce off such lines hardly more often than off the
same lines moved to where nothing ever happened (`docs/signals.md`, the placebo test), so no
confidence is ever attached to one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.analytics.prices import Floats, Prices

SIDE = 5
"""Bars on each side that must be lower (higher) than a pivot."""
LOOK_BACK = 504
"""Bars, about two years."""
HALF_LIFE = 126
"""Bars after which a touch counts half."""


@dataclass(frozen=True)
class Level:
    """One or several pivots close together."""

    kind: Literal["support", "resistance"]
    price: float
    """Mean of its pivots."""
    touches: int
    pivot_at: int
    """Bar of its latest pivot."""
    confirmed_at: int
    """Bar at whose close that pivot was first known: `SIDE` bars later."""
    score: float
    """Touches, each weighted by its age."""


def find(prices: Prices, *, atr: float, at_most: int = 3) -> tuple[list[Level], list[Level]]:
    """Return support and resistance, each nearest to the close first, as known at the last bar."""
    last = len(prices) - 1
    start = max(0, len(prices) - LOOK_BACK)
    pivots = [
        (float(column[index]), int(index))
        for column, sign in ((prices.high, 1.0), (prices.low, -1.0))
        for index in pivot_bars(sign * column)
        if index >= start
    ]
    if not pivots or not atr > 0:
        return [], []
    close = float(prices.close[-1])
    below: list[Level] = []
    above: list[Level] = []
    for group in _clusters(sorted(pivots), 0.5 * atr):
        latest = max(index for _, index in group)
        price = sum(price for price, _ in group) / len(group)
        level = Level(
            kind="support" if price < close else "resistance",
            price=price,
            touches=len(group),
            pivot_at=latest,
            confirmed_at=latest + SIDE,
            score=sum(0.5 ** ((last - index) / HALF_LIFE) for _, index in group),
        )
        if price != close:
            (below if price < close else above).append(level)
    best = [sorted(side, key=lambda level: -level.score)[:at_most] for side in (below, above)]
    support, resistance = (sorted(s, key=lambda level: abs(level.price - close)) for s in best)
    return support, resistance


def pivot_bars(column: Floats, side: int = SIDE) -> NDArray[np.int64]:
    """Return the bars higher than the `side` before and not lower than the `side` after them.

    The last `side` bars cannot be judged yet, so none of them is ever returned.
    """
    if len(column) < 2 * side + 1:
        return np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(column, 2 * side + 1)
    centre = windows[:, side]
    # Strict on the left only, so that the first of several equal highs is the pivot.
    turned = (centre > windows[:, :side].max(axis=1)) & (
        centre >= windows[:, side + 1 :].max(axis=1)
    )
    return np.flatnonzero(turned) + side


def _clusters(pivots: list[tuple[float, int]], reach: float) -> list[list[tuple[float, int]]]:
    """Split price-sorted pivots into groups no wider than `reach`."""
    groups: list[list[tuple[float, int]]] = []
    for pivot in pivots:
        if groups and pivot[0] - groups[-1][0][0] <= reach:
            groups[-1].append(pivot)
        else:
            groups.append([pivot])
    return groups
