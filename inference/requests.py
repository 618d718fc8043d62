"""What is asked of the engine and what it answers: rows in, one answer per row out.

Arrays are columns over rows, so that many callers' rows can be joined and parted again. Everything
here crosses the border of the worker process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadInput
from inference.usage import Usage

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one call: numbers by column, and texts by column."""

    names: tuple[str, ...]
    numbers: Floats
    """Shape (rows, len(names)), float64; NaN where a number is missing."""
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> one text per row."""

    def __post_init__(self) -> None:
        if self.numbers.ndim != 2 or self.numbers.shape[1] != len(self.names):
            raise BadInput(
                f"the numbers have shape {self.numbers.shape}; {len(self.names)} columns are named"
            )
        for name, column in self.texts.items():
            if len(column) != len(self):
                raise BadInput(f"column {name!r} has {len(column)} rows instead of {len(self)}")

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> "Rows":
        """Return the rows of JSON objects: numbers and booleans as numbers, strings as texts.

        Raises:
            BadInput: rows have different columns, or a value is neither number nor text.
        """
        if not rows:
            raise BadInput("there are no rows")
        keys = tuple(rows[0])
        wrong = next((i for i, row in enumerate(rows) if row.keys() != rows[0].keys()), None)
        if wrong is not None:
            raise BadInput(f"row {wrong} has the columns {list(rows[wrong])}, row 0 {list(keys)}")
        texts = {key: tuple(row[key] for row in rows) for key in keys if _is_text(rows[0][key])}
        for key, column in texts.items():
            for index, value in enumerate(column):
                if not isinstance(value, str):
                    raise BadInput(f"row {index}, column {key!r}: {value!r} is no text")
        names = tuple(key for key in keys if key not in texts)
        numbers = np.array(
            [[_number(i, name, row[name]) for name in names] for i, row in enumerate(rows)],
            dtype=np.float64,
        ).reshape(len(rows), len(names))
        return cls(names, numbers, texts)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _number(row: int, column: str, value: Any) -> float:
    if value is None:
        return float("nan")
    if not isinstance(value, bool | int | float):
        raise BadInput(f"row {row}, column {column!r}: {value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        raise BadInput(f"row {row}, column {column!r}: {value!r} is too large") from None


@dataclass(frozen=True, eq=False)
class Answers:
    """One answer per row. Columns that a model does not give are None."""

    values: Floats | tuple[str, ...]
    """The point answer: a number in the bundle's unit, the most probable class, or a text."""
    quantiles: Floats | None = None
    """Shape (rows, levels)."""
    levels: tuple[float, ...] = ()
    probabilities: Floats | None = None
    """Shape (rows, classes), rows sum to 1."""
    classes: tuple[str, ...] = ()
    low: Floats | None = None
    """Interval of nominal coverage `interval_level`."""
    high: Floats | None = None
    interval_level: float | None = None
    contributions: Floats | None = None
    """Shape (rows, contribution_names): how far each column moved the raw output from its mean."""
    contribution_names: tuple[str, ...] = ()
    paths: Floats | None = None
    """Shape (rows, paths, steps): sampled log returns, for scenario models."""
    usage: tuple[Usage, ...] = ()
    """What the rows used of others' language models; empty for whatever runs here."""

    def __len__(self) -> int:
        return len(self.values)
