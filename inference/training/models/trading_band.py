"""What a no-trade band costs: being off the target, and trading back.

State: the logarithm of the weight held over the weight wanted, `deviation`. Policy: while it lies
between two edges nothing is traded; beyond one, trade back to that edge. The edges move with level
and trend of volatility. Loss of a bar, in shares of wealth:

    aversion / 2 x variance of the next bar x (weight - wanted)^2 + cost x |weight traded|

The first term is what an investor loses for whom the target is right (constant Sharpe ratio, mean
and variance). It says nothing about profit: expected returns are not in it.
"""

from dataclasses import dataclass

import numpy as np

from inference.datasets.volatility_target import BOUND
from inference.requests import Floats

FEATURES = ("level", "trend")


@dataclass(frozen=True, eq=False)
class Days:
    """Bars of several stretches side by side, each array of shape (bars, stretches)."""

    wanted: Floats
    level: Floats
    trend: Floats
    moved: Floats
    """Simple total return from this bar to the next."""
    counts: Floats
    """1 where the bar is graded, 0 where it only warms up or is not there."""

    def __len__(self) -> int:
        return len(self.wanted)


@dataclass(frozen=True)
class Costs:
    """What is charged."""

    aversion: float
    cost: float
    """Of one unit of weight traded: spread, fees and impact, one way."""


@dataclass(frozen=True)
class Edges:
    """Lower edge -(below + below_slopes . z), upper edge above + above_slopes . z."""

    below: float
    above: float
    below_slopes: tuple[float, float] = (0.0, 0.0)
    above_slopes: tuple[float, float] = (0.0, 0.0)


def edges_of(numbers: Floats) -> Edges:
    """Return the edges that free numbers stand for: never crossed, whatever the numbers are.

    Six numbers, or one for a fixed symmetric band.
    """
    below = float(np.exp(numbers[0]))
    if len(numbers) == 1:
        return Edges(below, below)
    above = float(np.exp(numbers[3]))
    most = 0.95 / (BOUND * len(FEATURES))
    down = below * most * np.tanh(numbers[1:3])
    up = above * most * np.tanh(numbers[4:6])
    return Edges(below, above, (float(down[0]), float(down[1])), (float(up[0]), float(up[1])))


def _slopes(numbers: Floats, edges: Edges) -> tuple[Floats, Floats]:
    """Return d(lower, upper edge)/d numbers as weights of (1, level, trend), shape (numbers, 3)."""
    lower, upper = np.zeros((len(numbers), 3)), np.zeros((len(numbers), 3))
    lower[0] = (-edges.below, *(-slope for slope in edges.below_slopes))
    if len(numbers) == 1:
        upper[0] = (edges.above, 0.0, 0.0)
        return lower, upper
    upper[3] = (edges.above, *edges.above_slopes)
    most = 0.95 / (BOUND * len(FEATURES))
    for index in (0, 1):
        lower[1 + index, 1 + index] = -edges.below * most / np.cosh(numbers[1 + index]) ** 2
        upper[4 + index, 1 + index] = edges.above * most / np.cosh(numbers[4 + index]) ** 2
    return lower, upper


@dataclass(frozen=True, eq=False)
class Run:
    """What a policy did, bar by bar, each of shape (bars, stretches)."""

    off: Floats
    """Loss from being off the target."""
    paid: Floats
    """Cost of trading."""
    traded: Floats
    """Weight traded, without a sign."""


def simulate(days: Days, edges: Edges, costs: Costs) -> Run:
    """Run a policy from the target on."""
    run, _ = _walk(days, edges, costs, None)
    return run


def loss_and_slope(days: Days, numbers: Floats, costs: Costs) -> tuple[float, Floats]:
    """Return the mean loss of a graded bar in basis points, and its slope."""
    edges = edges_of(numbers)
    run, slope = _walk(days, edges, costs, _slopes(numbers, edges))
    graded = days.counts.sum()
    return 1e4 * float((run.off + run.paid).sum()) / graded, 1e4 * slope / graded


def _walk(
    days: Days, edges: Edges, costs: Costs, slopes: tuple[Floats, Floats] | None
) -> tuple[Run, Floats]:
    bars, stretches = days.wanted.shape
    off, paid, traded = (np.zeros((bars, stretches)) for _ in range(3))
    size = 0 if slopes is None else len(slopes[0])
    total = np.zeros(size)
    ones = np.ones(stretches)
    wanted_log = np.log(days.wanted)
    held = wanted_log[0].copy()
    held_slope = np.zeros((size, stretches))
    for bar in range(bars):
        z = np.stack([ones, days.level[bar], days.trend[bar]])
        lower = -(edges.below + np.dot(edges.below_slopes, z[1:]))
        upper = edges.above + np.dot(edges.above_slopes, z[1:])
        before = held - wanted_log[bar]
        after = np.clip(before, lower, upper)
        weight, was = days.wanted[bar] * np.exp(after), np.exp(held)
        graded = days.counts[bar]
        gap = weight - days.wanted[bar]
        square = days.moved[bar] ** 2
        traded[bar] = graded * np.abs(weight - was)
        off[bar] = graded * 0.5 * costs.aversion * square * gap**2
        paid[bar] = costs.cost * traded[bar]
        grown = np.maximum(1.0 + weight * days.moved[bar], 0.05)
        drift = np.log((1.0 + days.moved[bar]) / grown)
        if slopes is not None:
            after_slope = np.where(
                before < lower, slopes[0] @ z, np.where(before > upper, slopes[1] @ z, held_slope)
            )
            weight_slope = weight * after_slope
            moved_by = weight_slope - was * held_slope
            total += (
                graded
                * (
                    costs.aversion * square * gap * weight_slope
                    + costs.cost * np.sign(weight - was) * moved_by
                )
            ).sum(axis=1)
            held_slope = after_slope - days.moved[bar] / grown * weight_slope
        held = wanted_log[bar] + after + drift
    return Run(off, paid, traded), total
