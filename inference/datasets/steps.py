"""The preprocessing that a bundle replays: each step is made once, then applied to many rows.

A step's fitted numbers are in its parameters; nothing is learned here, so a row is prepared in the
same way whether it comes alone or with a thousand others. To add a kind, add it to `STEPS`.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from inference.bundle import PreprocessingStep
from inference.errors import BadInput, BadModel
from inference.requests import Floats, Rows

Apply = Callable[[Rows], Rows]
Make = Callable[[Mapping[str, Any]], Apply]

_MAX_NEW_COLUMNS = 10_000


def make_steps(steps: Sequence[PreprocessingStep]) -> Apply:
    """Return one function that does all the steps, in rising `order`.

    Raises:
        BadModel: a step is of a kind we do not have, or its parameters are not what it needs.
    """
    made = []
    for step in sorted(steps, key=lambda step: step.order):
        make = STEPS.get(step.type)
        if make is None:
            there_are = ", ".join(sorted(STEPS))
            raise BadModel(f"preprocessing step {step.type!r} is unknown; there are {there_are}")
        try:
            made.append(make(step.parameters))
        except (KeyError, TypeError, ValueError) as wrong:
            raise BadModel(f"preprocessing step {step.type!r}: {_in_words(wrong)}") from None

    def apply(rows: Rows) -> Rows:
        for one in made:
            rows = one(rows)
        return rows

    return apply


def imputed_columns(steps: Sequence[PreprocessingStep]) -> frozenset[str]:
    """Return the columns in which a missing number is allowed, because a step fills it."""
    return frozenset(
        column for step in steps if step.type == "impute" for column in step.parameters["values"]
    )


def _in_words(wrong: Exception) -> str:
    return f"{wrong} is missing" if isinstance(wrong, KeyError) else str(wrong)


def _numbers(parameters: Mapping[str, Any], key: str) -> dict[str, float]:
    """Return a table of column -> finite number."""
    table = parameters[key]
    if not isinstance(table, Mapping):
        raise TypeError(f"{key!r} must be a table of column -> number")
    found = {str(column): float(number) for column, number in table.items()}
    for column, number in found.items():
        if not math.isfinite(number):
            raise ValueError(f"{key!r} of {column!r} is {number}")
    return found


def _positions(rows: Rows, columns: Sequence[str]) -> list[int]:
    try:
        return [rows.names.index(column) for column in columns]
    except ValueError:
        absent = next(column for column in columns if column not in rows.names)
        raise BadInput(
            f"a preprocessing step needs the number column {absent!r}; there are {list(rows.names)}"
        ) from None


def _each(columns: Sequence[str], change: Callable[[Floats], Floats]) -> Apply:
    """Return a step that changes some columns at once: `change` gets shape (rows, columns)."""

    def apply(rows: Rows) -> Rows:
        if rows.names == tuple(columns):
            return replace(rows, numbers=change(rows.numbers))
        at = _positions(rows, columns)
        numbers = rows.numbers.copy()
        numbers[:, at] = change(numbers[:, at])
        return replace(rows, numbers=numbers)

    return apply


def _impute(parameters: Mapping[str, Any]) -> Apply:
    """`values`: column -> what stands in for a missing number."""
    values = _numbers(parameters, "values")
    fill = np.array(list(values.values()))
    return _each(tuple(values), lambda numbers: np.where(np.isnan(numbers), fill, numbers))


def _standardize(parameters: Mapping[str, Any]) -> Apply:
    """`means` and `deviations` by column: (x - mean) / deviation."""
    means, deviations = _numbers(parameters, "means"), _numbers(parameters, "deviations")
    if means.keys() != deviations.keys():
        raise ValueError("'means' and 'deviations' name different columns")
    for column, deviation in deviations.items():
        if deviation <= 0.0:
            raise ValueError(f"'deviations' of {column!r} is {deviation}; it must be above 0")
    mean = np.array(list(means.values()))
    spread = np.array([deviations[column] for column in means])
    return _each(tuple(means), lambda numbers: (numbers - mean) / spread)


def _clip(parameters: Mapping[str, Any]) -> Apply:
    """`low` and `high` by column; either may lack a column. Winsorizing is this with quantiles."""
    low = _numbers({"low": parameters.get("low", {})}, "low")
    high = _numbers({"high": parameters.get("high", {})}, "high")
    columns = tuple(dict.fromkeys((*low, *high)))
    if not columns:
        raise ValueError("neither 'low' nor 'high' names a column")
    lowest = np.array([low.get(column, -np.inf) for column in columns])
    highest = np.array([high.get(column, np.inf) for column in columns])
    if (lowest > highest).any():
        raise ValueError("'low' lies above 'high'")
    return _each(columns, lambda numbers: np.clip(numbers, lowest, highest))


def _log1p(parameters: Mapping[str, Any]) -> Apply:
    """`columns`: sign(x) * log(1 + |x|), which any number has."""
    columns = _names(parameters, "columns")
    return _each(columns, lambda numbers: np.sign(numbers) * np.log1p(np.abs(numbers)))


def _names(parameters: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = parameters[key]
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{key!r} must be a list of column names")
    if len(set(names)) != len(names):
        raise ValueError(f"{key!r} names a column twice")
    return tuple(names)


def _texts(rows: Rows, column: str) -> tuple[str, ...]:
    try:
        return rows.texts[column]
    except KeyError:
        raise BadInput(
            f"a preprocessing step needs the text column {column!r}; there are {list(rows.texts)}"
        ) from None


def _instead_of(rows: Rows, column: str, names: Sequence[str], numbers: Floats) -> Rows:
    """Return rows in which number columns stand in for one text column."""
    texts = {name: column_ for name, column_ in rows.texts.items() if name != column}
    return Rows((*rows.names, *names), np.hstack([rows.numbers, numbers]), texts)


def _one_hot(parameters: Mapping[str, Any]) -> Apply:
    """`column` and its `categories`: one column of 0 and 1 each; an unknown one is all 0."""
    column, categories = str(parameters["column"]), _names(parameters, "categories")
    names = tuple(f"{column}={category}" for category in categories)
    place = {category: index for index, category in enumerate(categories)}

    def apply(rows: Rows) -> Rows:
        numbers = np.zeros((len(rows), len(names)))
        for row, text in enumerate(_texts(rows, column)):
            if (index := place.get(text)) is not None:
                numbers[row, index] = 1.0
        return _instead_of(rows, column, names, numbers)

    return apply


def _ordinal(parameters: Mapping[str, Any]) -> Apply:
    """`column` and its `categories` in order: 0, 1, ...; an unknown one is `unknown` (-1)."""
    column, categories = str(parameters["column"]), _names(parameters, "categories")
    unknown = float(parameters.get("unknown", -1.0))
    place = {category: float(index) for index, category in enumerate(categories)}

    def apply(rows: Rows) -> Rows:
        numbers = np.array([[place.get(text, unknown)] for text in _texts(rows, column)])
        return _instead_of(rows, column, (column,), numbers.reshape(len(rows), 1))

    return apply


def _hash(parameters: Mapping[str, Any]) -> Apply:
    """`column` into `buckets` columns of 0 and 1 by a hash that is the same everywhere."""
    column, buckets = str(parameters["column"]), int(parameters["buckets"])
    if not 1 <= buckets <= _MAX_NEW_COLUMNS:
        raise ValueError(f"'buckets' is {buckets}; it must be from 1 to {_MAX_NEW_COLUMNS:,}")
    names = tuple(f"{column}#{bucket}" for bucket in range(buckets))

    def apply(rows: Rows) -> Rows:
        numbers = np.zeros((len(rows), buckets))
        for row, text in enumerate(_texts(rows, column)):
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            numbers[row, int.from_bytes(digest, "big") % buckets] = 1.0
        return _instead_of(rows, column, names, numbers)

    return apply


def _rename(parameters: Mapping[str, Any]) -> Apply:
    """`columns`: old name -> new name."""
    columns = parameters["columns"]
    if not isinstance(columns, Mapping):
        raise TypeError("'columns' must be a table of old name -> new name")
    new = {str(old): str(name) for old, name in columns.items()}

    def apply(rows: Rows) -> Rows:
        names = tuple(new.get(name, name) for name in rows.names)
        texts = {new.get(name, name): column for name, column in rows.texts.items()}
        if len({*names, *texts}) != len(rows.names) + len(rows.texts):
            raise BadInput(f"renaming {new} gives two columns one name")
        return Rows(names, rows.numbers, texts)

    return apply


def _select(parameters: Mapping[str, Any]) -> Apply:
    """`columns`: those that stay, in this order."""
    columns = _names(parameters, "columns")

    def apply(rows: Rows) -> Rows:
        if rows.names == columns:
            return rows
        return select(rows, columns)

    return apply


def select(rows: Rows, columns: Sequence[str]) -> Rows:
    """Return only some columns, in their order.

    Raises:
        BadInput: one is not there.
    """
    if rows.names == tuple(columns) and not rows.texts:
        return rows
    names = tuple(column for column in columns if column not in rows.texts)
    at = _positions(rows, names)
    texts = {column: rows.texts[column] for column in columns if column in rows.texts}
    return Rows(names, np.ascontiguousarray(rows.numbers[:, at]), texts)


STEPS: dict[str, Make] = {
    "impute": _impute,
    "standardize": _standardize,
    "clip": _clip,
    "winsorize": _clip,
    "log1p": _log1p,
    "one_hot": _one_hot,
    "ordinal": _ordinal,
    "hash": _hash,
    "rename": _rename,
    "select": _select,
}
"""Kind -> what makes the step of its parameters."""
