"""A condition on one instrument at one bar: the words that screens and alerts share.

As JSON a condition is a leaf, or a group of conditions:

    {"field": "rsi", "op": ">", "value": 70}
    {"field": "close", "op": "crosses_above", "value": {"field": "sma200", "times": 1.02}}
    {"signal": "breakout", "direction": "bullish", "fired": true}
    {"all": [...]}    {"any": [...]}    {"not": ...}

Pure: it is told the numbers of this bar and of the one before, and reads nothing else. A value that
is not ready makes an answer unknown (None), never false: "RSI below 30" and "not RSI below 30" are
both unknown while there is no RSI.
"""

import math
from collections.abc import Iterator, Sequence

from tools.analytics.condition_json import parse, to_json
from tools.analytics.condition_parts import (
    DIRECTIONS,
    LABELS,
    OPERATORS,
    SIGNALS,
    All,
    AnyOf,
    BadCondition,
    Comparison,
    Condition,
    Not,
    Signalled,
    Snapshot,
    Standing,
    Times,
    leaves,
)

__all__ = [
    "DIRECTIONS",
    "LABELS",
    "OPERATORS",
    "SIGNALS",
    "All",
    "AnyOf",
    "BadCondition",
    "Comparison",
    "Condition",
    "Not",
    "Signalled",
    "Snapshot",
    "Standing",
    "Times",
    "describe",
    "fields",
    "holds",
    "leaves",
    "looks_back",
    "parse",
    "signals",
    "to_json",
]

_SAID = {
    ">": "above",
    ">=": "at or above",
    "<": "below",
    "<=": "at or below",
    "crosses_above": "crosses above",
    "crosses_below": "crosses below",
}


def holds(
    condition: Condition,
    now: Snapshot,
    before: Snapshot | None = None,
    signals: Sequence[Standing] | None = (),
) -> bool | None:
    """Return whether the condition holds at a bar; None when a value that decides is not ready.

    `now` and `before` are the numbers of this bar and the one before; `signals` are those valid
    at it, None when nobody computed them.
    """
    match condition:
        case All(parts):
            return _all(holds(part, now, before, signals) for part in parts)
        case AnyOf(parts):
            return _negate(_all(_negate(holds(part, now, before, signals)) for part in parts))
        case Not(part):
            return _negate(holds(part, now, before, signals))
        case Signalled():
            return None if signals is None else any(_matches(condition, one) for one in signals)
        case Comparison():
            return _compare(condition, now, before)


def describe(condition: Condition) -> str:
    """Return the condition in plain words: "RSI above 70 and a bullish breakout is valid"."""
    match condition:
        case All(parts):
            return _joined(parts, "and")
        case AnyOf(parts):
            return _joined(parts, "or")
        case Not(part):
            return f"not ({describe(part)})"
        case Signalled(signal, direction, fired):
            name = signal.replace("_", " ")
            name = name if direction is None else f"{direction} {name}"
            article = "an" if name[0] in "aeiou" else "a"
            return f"{article} {name} signal {'fires' if fired else 'is valid'}"
        case Comparison(field, op, value):
            return f"{LABELS[field]} {_SAID[op]} {_said(value)}"


def fields(condition: Condition) -> frozenset[str]:
    """Return every field the condition reads."""
    named: set[str] = set()
    for leaf in leaves(condition):
        if isinstance(leaf, Comparison):
            named.add(leaf.field)
            if isinstance(leaf.value, Times):
                named.add(leaf.value.field)
    return frozenset(named)


def signals(condition: Condition) -> frozenset[str]:
    """Return every signal type the condition asks about."""
    return frozenset(leaf.signal for leaf in leaves(condition) if isinstance(leaf, Signalled))


def looks_back(condition: Condition) -> bool:
    """Return whether the condition needs the bar before: something in it crosses."""
    return any(
        isinstance(leaf, Comparison) and leaf.op in ("crosses_above", "crosses_below")
        for leaf in leaves(condition)
    )


def _all(answers: Iterator[bool | None]) -> bool | None:
    """Return Kleene's and: one false decides, however many are unknown."""
    known: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            known = None
    return known


def _negate(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _matches(asked: Signalled, one: Standing) -> bool:
    return (
        one.type == asked.signal
        and asked.direction in (None, one.direction)
        and (one.fired or not asked.fired)
    )


def _compare(asked: Comparison, now: Snapshot, before: Snapshot | None) -> bool | None:
    left, right = _read(asked.field, now), _worth(asked.value, now)
    if left is None or right is None:
        return None
    match asked.op:
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case "crosses_above":
            arrived = left > right
        case "crosses_below":
            arrived = left < right
    if not arrived:
        return False
    if before is None:
        return None
    was, line = _read(asked.field, before), _worth(asked.value, before)
    if was is None or line is None:
        return None
    return was <= line if asked.op == "crosses_above" else was >= line


def _read(field: str, at: Snapshot) -> float | None:
    value = at.get(field)
    return None if value is None or math.isnan(value) else value


def _worth(value: float | Times, at: Snapshot) -> float | None:
    if not isinstance(value, Times):
        return value
    other = _read(value.field, at)
    return None if other is None else other * value.times


def _said(value: float | Times) -> str:
    if not isinstance(value, Times):
        return f"{value:,.10g}"
    label = LABELS[value.field]
    return label if value.times == 1.0 else f"{value.times:.10g} × {label}"


def _joined(parts: Sequence[Condition], word: str) -> str:
    said = [
        f"({describe(part)})"
        if isinstance(part, All | AnyOf) and len(parts) > 1
        else describe(part)
        for part in parts
    ]
    return f" {word} ".join(said)
