"""Do prices bounce off support and resistance more often than off lines drawn at random?

A touch: all of bar t - 1 was on one side of a line that was known then, and at bar t the price
reached it: from above a test of support, from below one of resistance. A bounce: within the 20 bars
after t the price goes 1 ATR back before it goes 1 ATR through; both in one bar, or a close at t
already 1 ATR through, is no bounce, and neither within 20 bars is not counted. The lines are the
levels that the product draws at bar t - 1; the placebo is the same lines moved up and down by 1.5
and 3 ATR.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.analytics import indicators, levels
from tools.analytics.levels import LOOK_BACK, SIDE
from tools.analytics.prices import Prices
from tools.analytics.track_record import wilson
from tools.market.bars import Bars
from tools.market.prices import prices_of

SHIFTS = (0.0, 1.5, 3.0)
AHEAD = 20
FIRST = 260
ATR = 1.0


@dataclass
class Count:
    """Bounces among decided touches."""

    bounced: int = 0
    touched: int = 0

    def add(self, *, bounced: bool) -> None:
        self.touched += 1
        self.bounced += bounced


def placebo_table(series: Sequence[Bars], say: Callable[[str], None]) -> None:
    """Count over all histories and print the table."""
    names = ("the line", *(f"shifted {shift:g} ATR" for shift in SHIFTS[1:]))
    counts = {
        (kind, name): Count()
        for kind in ("support", "resistance", "3 touches or more")
        for name in names
    }
    for bars in series:
        _study(prices_of(bars), counts, names)
    say("| | " + " | ".join(names) + " |\n|---|---|---|---|")
    for kind in ("support", "resistance", "3 touches or more"):
        cells = []
        for name in names:
            count = counts[kind, name]
            low, high = wilson(count.bounced, count.touched)
            rate = count.bounced / count.touched if count.touched else float("nan")
            cells.append(f"{rate:.3f} [{low:.3f}, {high:.3f}] (n {count.touched:,})")
        say(f"| {kind} | " + " | ".join(cells) + " |")


def _study(prices: Prices, counts: dict[tuple[str, str], Count], names: Sequence[str]) -> None:
    atr = indicators.compute(prices).atr
    for bar in range(FIRST, len(prices) - 1):
        unit = float(atr[bar - 1])
        if not unit > 0:
            continue
        before = prices.upto(bar - 1).newest(LOOK_BACK + SIDE)
        for level in (one for found in levels.find(before, atr=unit) for one in found):
            for shift, name in zip(SHIFTS, names, strict=True):
                for line in {level.price - shift * unit, level.price + shift * unit}:
                    for side, kind in ((1, "support"), (-1, "resistance")):
                        bounced = _touch(prices, bar, line, side, unit)
                        if bounced is None:
                            continue
                        counts[kind, name].add(bounced=bounced)
                        if level.touches >= 3:
                            counts["3 touches or more", name].add(bounced=bounced)


def _touch(prices: Prices, bar: int, line: float, side: int, unit: float) -> bool | None:
    """Return whether the price bounced off `line` at `bar`; None without a touch or a decision."""
    near = prices.low if side > 0 else prices.high
    if (near[bar - 1] - line) * side <= 0 or (near[bar] - line) * side > 0:
        return None
    if (prices.close[bar] - line) * side <= -ATR * unit:
        return False
    ahead = slice(bar + 1, bar + 1 + AHEAD)
    far = prices.high if side > 0 else prices.low
    back = np.flatnonzero((far[ahead] - line) * side >= ATR * unit)
    through = np.flatnonzero((near[ahead] - line) * side <= -ATR * unit)
    if not len(back) and not len(through):
        return None
    first_back = back[0] if len(back) else AHEAD
    first_through = through[0] if len(through) else AHEAD
    return bool(first_back < first_through)
