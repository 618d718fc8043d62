"""Do the rows of a call have the columns that a model wants? Puts them in the model's order."""

from datetime import UTC, datetime

import numpy as np

from inference.bundle import TEXTUAL, Bundle, InputColumn
from inference.datasets.steps import imputed_columns
from inference.errors import BadInput
from inference.requests import Floats, Rows


class InputCheck:
    """Checks columns and kinds against a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._inputs = bundle.inputs
        self._by_name = {column.name: column for column in bundle.inputs}
        numeric = [column for column in bundle.inputs if column.kind not in TEXTUAL]
        self._numeric = tuple(numeric)
        self._names = tuple(column.name for column in numeric)
        self._texts = tuple(column for column in bundle.inputs if column.kind in TEXTUAL)
        filled = imputed_columns(bundle.steps)
        # A missing number is refused where the model needs one and no step fills it.
        self._needed = np.array([c.required and c.name not in filled for c in numeric], dtype=bool)
        self._binary = np.array([column.kind == "binary" for column in numeric], dtype=bool)
        self._has_binary = bool(self._binary.any())

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows with the model's columns in the model's order.

        Raises:
            BadInput: names the column and what it must be.
        """
        if not len(rows):
            raise BadInput("there are no rows")
        if rows.names == self._names and not rows.texts and not self._texts:
            numbers = rows.numbers
        else:
            self._refuse_unknown(rows)
            numbers = self._in_order(rows)
        self._check_numbers(numbers)
        texts = {column.name: _text_column(column, rows) for column in self._texts}
        return Rows(self._names, np.ascontiguousarray(numbers, dtype=np.float64), texts)

    def blank(self) -> Rows:
        """Return one row of zeros and empty texts."""
        texts: dict[str, tuple[str, ...]] = {column.name: ("",) for column in self._texts}
        return Rows(self._names, np.zeros((1, len(self._names))), texts)

    def _refuse_unknown(self, rows: Rows) -> None:
        wanted = [column.name for column in self._inputs]
        given = (*rows.names, *rows.texts)
        if unknown := [name for name in given if name not in self._by_name]:
            raise BadInput(f"the model has no column {unknown[0]!r}; its columns are {wanted}")
        if len(set(given)) != len(given):
            raise BadInput("a column is given twice")
        for column in self._inputs:
            if column.required and column.name not in given:
                raise BadInput(f"column {column.name!r} is missing; the model's are {wanted}")

    def _in_order(self, rows: Rows) -> Floats:
        place = {name: index for index, name in enumerate(rows.names)}
        numbers = np.full((len(rows), len(self._names)), np.nan)
        for index, column in enumerate(self._numeric):
            if (at := place.get(column.name)) is not None:
                numbers[:, index] = rows.numbers[:, at]
            elif column.name in rows.texts:
                numbers[:, index] = _times(column, rows.texts[column.name])
        return numbers

    def _check_numbers(self, numbers: Floats) -> None:
        if not self._names:
            return
        bad = ~np.isfinite(numbers)
        if bad.any():
            bad &= self._needed | np.isinf(numbers)
            if bad.any():
                row, column = (int(place[0]) for place in np.nonzero(bad))
                value = "missing" if np.isnan(numbers[row, column]) else "infinite"
                raise BadInput(f"row {row}, column {self._names[column]!r} is {value}")
        if self._has_binary:
            flags = numbers[:, self._binary]
            wrong = (flags != 0.0) & (flags != 1.0) & ~np.isnan(flags)
            if wrong.any():
                row, column = (int(place[0]) for place in np.nonzero(wrong))
                name = np.array(self._names)[self._binary][column]
                raise BadInput(f"row {row}, column {str(name)!r} must be 0 or 1")


def _text_column(column: InputColumn, rows: Rows) -> tuple[str, ...]:
    if column.name in rows.texts:
        return rows.texts[column.name]
    if column.name not in rows.names:
        return ("",) * len(rows)  # it is not required, or it would have been refused
    if column.kind == "text":
        raise BadInput(f"column {column.name!r} must be text")
    numbers = rows.numbers[:, rows.names.index(column.name)]
    return tuple("" if number != number else f"{number:.15g}" for number in numbers.tolist())


def _times(column: InputColumn, texts: tuple[str, ...]) -> list[float]:
    """Return ISO 8601 times as seconds since 1970, for columns that are times."""
    if column.kind != "datetime":
        raise BadInput(f"column {column.name!r} must be a number")
    seconds = []
    for row, text in enumerate(texts):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadInput(
                f"row {row}, column {column.name!r}: {text[:40]!r} is no ISO 8601 time"
            ) from None
        seconds.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return seconds
