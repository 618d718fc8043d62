"""Conditions as JSON: read with a clear refusal of whatever is none, and written again."""

import difflib
import math
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from tools.analytics.condition_parts import (
    DEEPEST,
    DIRECTIONS,
    LABELS,
    MOST_LEAVES,
    OPERATORS,
    SIGNALS,
    All,
    AnyOf,
    BadCondition,
    Comparison,
    Condition,
    Not,
    Signalled,
    Times,
    leaves,
)
from tools.analytics.snapshot import FIELDS


def parse(document: Any) -> Condition:
    """Return the condition that `document` (decoded JSON) describes.

    Raises:
        BadCondition: saying where it is wrong and what is allowed there.
    """
    condition = _parse(document, "condition", depth=1)
    count = sum(1 for _ in leaves(condition))
    if count > MOST_LEAVES:
        raise BadCondition(f"the condition has {count} comparisons; at most {MOST_LEAVES} may be")
    return condition


def to_json(condition: Condition) -> dict[str, Any]:
    """Return the JSON of a condition; `parse` gives the same condition back."""
    match condition:
        case All(parts):
            return {"all": [to_json(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [to_json(part) for part in parts]}
        case Not(part):
            return {"not": to_json(part)}
        case Signalled(signal, direction, fired):
            leaf: dict[str, Any] = {"signal": signal}
            if direction is not None:
                leaf["direction"] = direction
            if fired:
                leaf["fired"] = True
            return leaf
        case Comparison(field, op, value):
            if isinstance(value, Times):
                times = {} if value.times == 1.0 else {"times": value.times}
                return {"field": field, "op": op, "value": {"field": value.field, **times}}
            return {"field": field, "op": op, "value": value}


def _parse(document: Any, where: str, *, depth: int) -> Condition:
    if not isinstance(document, dict):
        _refuse(where, f"{_kind(document)} is no condition; {_SHAPES}")
    if depth > DEEPEST:
        _refuse(where, f"conditions may be nested {DEEPEST} deep and no deeper")
    for word, read in _READERS.items():
        if word in document:
            return read(document, where, depth)
    keys = ", ".join(map(repr, document)) or "nothing"
    _refuse(where, f"it has {keys}; {_SHAPES}")


def _group(kind: type[All] | type[AnyOf], word: str) -> "_Reader":
    def read(document: dict[str, Any], where: str, depth: int) -> Condition:
        _only(document, (word,), where)
        parts = document[word]
        if not isinstance(parts, list) or not parts:
            _refuse(f"{where}.{word}", "it must be a list of at least one condition")
        if len(parts) > MOST_LEAVES:
            _refuse(f"{where}.{word}", f"it has {len(parts)} parts; at most {MOST_LEAVES} may be")
        found = (
            _parse(part, f"{where}.{word}[{index}]", depth=depth + 1)
            for index, part in enumerate(parts)
        )
        return kind(tuple(found))

    return read


def _negation(document: dict[str, Any], where: str, depth: int) -> Condition:
    _only(document, ("not",), where)
    return Not(_parse(document["not"], f"{where}.not", depth=depth + 1))


def _signalled(document: dict[str, Any], where: str, depth: int) -> Condition:
    _only(document, ("signal", "direction", "fired"), where)
    signal = _one_of(document["signal"], SIGNALS, f"{where}.signal", "signal")
    direction = document.get("direction")
    if direction is not None:
        _one_of(direction, DIRECTIONS, f"{where}.direction", "direction")
    fired = document.get("fired", False)
    if not isinstance(fired, bool):
        _refuse(f"{where}.fired", f"it must be true or false, not {_kind(fired)}")
    return Signalled(signal=signal, direction=direction, fired=fired)


def _comparison(document: dict[str, Any], where: str, depth: int) -> Condition:
    _only(document, ("field", "op", "value"), where)
    field = _one_of(document["field"], tuple(LABELS), f"{where}.field", "field")
    if "op" not in document or "value" not in document:
        _refuse(where, "a comparison needs `field`, `op` and `value`")
    op = _one_of(document["op"], OPERATORS, f"{where}.op", "operator")
    value = _value(document["value"], f"{where}.value")
    if isinstance(value, Times) and value.field == field:
        _refuse(f"{where}.value", f"{field} cannot be compared with itself")
    if isinstance(value, Times) and FIELDS[field].unit != FIELDS[value.field].unit:
        _refuse(
            f"{where}.value",
            f"{field} ({FIELDS[field].unit}) and {value.field} ({FIELDS[value.field].unit}) do not "
            "compare",
        )
    return msgspec.convert({"field": field, "op": op, "value": value}, Comparison)


_Reader = Callable[[dict[str, Any], str, int], Condition]
_READERS: dict[str, _Reader] = {
    "all": _group(All, "all"),
    "any": _group(AnyOf, "any"),
    "not": _negation,
    "signal": _signalled,
    "field": _comparison,
}
_SHAPES = (
    "a condition is {field, op, value}, {signal, direction?, fired?}, {all: [...]}, {any: [...]} "
    "or {not: ...}"
)


def _value(document: Any, where: str) -> float | Times:
    if isinstance(document, dict):
        _only(document, ("field", "times"), where)
        if "field" not in document:
            _refuse(where, "it must be a number, or {field, times?}")
        field = _one_of(document["field"], tuple(LABELS), f"{where}.field", "field")
        times = _number(document.get("times", 1.0), f"{where}.times")
        if times <= 0:
            _refuse(f"{where}.times", f"it must be above 0, not {times:g}")
        return Times(field=field, times=times)
    return _number(document, where)


def _number(document: Any, where: str) -> float:
    if isinstance(document, bool) or not isinstance(document, int | float):
        _refuse(where, f"it must be a number, or {{field, times?}}, not {_kind(document)}")
    try:
        number = float(document)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(where, "it must be a finite number")
    return number


def _one_of(document: Any, allowed: tuple[str, ...], where: str, kind: str) -> str:
    if not isinstance(document, str):
        _refuse(where, f"it must be the name of a {kind}, not {_kind(document)}")
    if document not in allowed:
        folded = {name.lower(): name for name in allowed}
        near = difflib.get_close_matches(document.lower(), folded, n=1)
        hint = f" Did you mean {folded[near[0]]!r}?" if near and document.isidentifier() else ""
        names = ", ".join(allowed)
        _refuse(where, f"{document[:40]!r} is no {kind}.{hint} Allowed: {names}")
    return document


def _only(document: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in document:
        if key not in allowed:
            listed = ", ".join(allowed)
            _refuse(where, f"{str(key)[:40]!r} does not belong here; allowed: {listed}")


def _kind(document: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if document is None else names.get(type(document), "a number")


def _refuse(where: str, reason: str) -> NoReturn:
    raise BadCondition(f"at `{where}`: {reason}")
