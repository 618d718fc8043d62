"""How often a condition came to hold in the past, and what followed, against doing nothing clever.

It counts the bars at which the condition began to hold, as an alert would have fired, and asks of
each whether the price stood higher so many bars later. Beside it stands the same question asked of
every bar. A bar counts once the bars it needs are there; of occasions that share bars only the
first counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.analytics.condition_parts import (
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Signalled,
    Standing,
    Times,
)
from tools.analytics.prices import Floats
from tools.analytics.track_record import ENOUGH, apart, wilson

HORIZONS = (5, 20)
"""Bars after which it is asked where the price stands."""
Truths = NDArray[np.int8]
"""1 holds, 0 does not, -1 nobody can say."""
Edge = Literal["measured edge", "no measured edge", "too few"]


@dataclass(frozen=True)
class After:
    """What followed, so many bars later. Rates are fractions; returns are in %."""

    horizon_bars: int
    n: int
    rises: int
    rise_rate: float | None
    """None while n is below `ENOUGH`."""
    wilson_low: float | None
    wilson_high: float | None
    """95 % interval of the rate; None while n is below `ENOUGH`."""
    mean_return_percent: float | None
    base_rate: float | None
    base_n: int
    base_mean_return_percent: float | None
    edge: Edge
    """`measured edge` only if the whole interval lies beside the base rate."""


@dataclass(frozen=True, eq=False)
class ConditionRecord:
    """What is known of a condition's past at one bar."""

    began: NDArray[np.int64]
    """Bars at which it came to hold before this one, oldest first."""
    known: int
    """Bars before this one at which it could be judged."""
    held: int
    """... and at which it held."""
    after: tuple[After, ...]


def truths(
    condition: Condition,
    table: Mapping[str, Floats],
    signals: Mapping[int, Sequence[Standing]] | None = None,
) -> Truths:
    """Return whether the condition holds at every bar; `conditions.holds` for whole histories."""
    match condition:
        case All(parts):
            return _all([truths(part, table, signals) for part in parts])
        case AnyOf(parts):
            return _negate(_all([_negate(truths(part, table, signals)) for part in parts]))
        case Not(part):
            return _negate(truths(part, table, signals))
        case Signalled():
            return _signalled(condition, len(table["close"]), signals)
        case Comparison():
            return _compare(condition, table)


def beginnings(holds: Truths) -> NDArray[np.int64]:
    """Return the bars at which an alert would fire: the condition holds, and last did not.

    A bar at which nobody can say neither begins nor ends anything. The first known bar begins
    nothing: it may have held before.
    """
    known = np.flatnonzero(holds >= 0)
    values = holds[known]
    rising = np.flatnonzero((values[1:] == 1) & (values[:-1] == 0)) + 1
    return known[rising]


def record(holds: Truths, total: Floats, *, at: int) -> ConditionRecord:
    """Return the record as it was known at the close of bar `at`, which is not counted itself.

    `total` are closes whose ratios include dividends.
    """
    past = holds[:at]
    began = beginnings(past)
    known = np.flatnonzero(past >= 0)
    return ConditionRecord(
        began=began,
        known=len(known),
        held=int((past == 1).sum()),
        after=tuple(_after(began, known, total[: at + 1], horizon) for horizon in HORIZONS),
    )


def _after(
    began: NDArray[np.int64], known: NDArray[np.int64], total: Floats, horizon: int
) -> After:
    last = len(total) - 1 - horizon
    began, known = apart(began[began <= last], horizon), known[known <= last]
    moves = total[began + horizon] / total[began] - 1.0
    every = total[known + horizon] / total[known] - 1.0
    n, rises = len(moves), int((moves > 0).sum())
    base = float((every > 0).mean()) if len(every) else None
    enough = n >= ENOUGH and base is not None
    low, high = wilson(rises, n)
    edge: Edge = "too few"
    if enough and base is not None:
        edge = "no measured edge" if low <= base <= high else "measured edge"
    return After(
        horizon_bars=horizon,
        n=n,
        rises=rises,
        rise_rate=rises / n if enough else None,
        wilson_low=low if enough else None,
        wilson_high=high if enough else None,
        mean_return_percent=100.0 * float(moves.mean()) if enough else None,
        base_rate=base,
        base_n=len(every),
        base_mean_return_percent=100.0 * float(every.mean()) if len(every) else None,
        edge=edge,
    )


def _all(parts: Sequence[Truths]) -> Truths:
    """Return Kleene's and: one false decides, however many are unknown."""
    stacked = np.stack(parts)
    out = np.where((stacked == -1).any(axis=0), -1, 1)
    out[(stacked == 0).any(axis=0)] = 0
    return out.astype(np.int8)


def _negate(values: Truths) -> Truths:
    return np.where(values < 0, -1, 1 - values).astype(np.int8)


def _signalled(
    asked: Signalled, count: int, signals: Mapping[int, Sequence[Standing]] | None
) -> Truths:
    out = np.full(count, -1, dtype=np.int8)
    for bar, standing in (signals or {}).items():
        out[bar] = any(
            one.type == asked.signal
            and asked.direction in (None, one.direction)
            and (one.fired or not asked.fired)
            for one in standing
        )
    return out


def _compare(asked: Comparison, table: Mapping[str, Floats]) -> Truths:
    left, right = table[asked.field], _worth(asked.value, table)
    with np.errstate(invalid="ignore"):
        match asked.op:
            case ">":
                met = left > right
            case ">=":
                met = left >= right
            case "<":
                met = left < right
            case "<=":
                met = left <= right
            case "crosses_above":
                return _crossed(left > right, left <= right, left, right)
            case "crosses_below":
                return _crossed(left < right, left >= right, left, right)
    return np.where(np.isnan(left) | np.isnan(right), -1, met).astype(np.int8)


def _crossed(
    arrived: NDArray[np.bool_], was: NDArray[np.bool_], left: Floats, right: Floats
) -> Truths:
    unknown = np.isnan(left) | np.isnan(right)
    before_unknown = np.concatenate([[True], unknown[:-1]])
    before = np.concatenate([[False], was[:-1]])
    out = np.where(before_unknown, -1, before)
    out = np.where(arrived, out, 0)
    return np.where(unknown, -1, out).astype(np.int8)


def _worth(value: float | Times, table: Mapping[str, Floats]) -> Floats:
    if isinstance(value, Times):
        return table[value.field] * value.times
    return np.full(len(table["close"]), float(value))
