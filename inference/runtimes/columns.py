"""Pick out of the rows what a member reads, in its order, or say which column is wrong."""

import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel
from inference.requests import Floats, Rows


def numbers(
    rows: Rows, member: Member, *, inputs: int | None = None, missing_allowed: bool = False
) -> Floats:
    """Return the member's columns as a matrix of shape (rows, columns).

    Raises:
        BadInput: a column is not there, there are more or fewer than `inputs`, or a number is
            infinite, or missing where that is not allowed.
    """
    names = member_columns(rows, member)
    if inputs is not None and len(names) != inputs:
        raise BadInput(
            f"model {member.name!r} reads {inputs} columns; {len(names)} came: {list(names)}"
        )
    if names == rows.names:
        matrix = rows.numbers
    else:
        place = {name: index for index, name in enumerate(rows.names)}
        absent = [name for name in names if name not in place]
        if absent:
            raise BadInput(
                f"model {member.name!r} needs the columns {absent}; there are {list(rows.names)}"
            )
        matrix = rows.numbers[:, [place[name] for name in names]]
    wrong = np.isinf(matrix) if missing_allowed else ~np.isfinite(matrix)
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        value = matrix[row, column]
        what = "is missing" if np.isnan(value) else f"is {value}"
        raise BadInput(
            f"row {row}, column {names[column]!r} {what}; model {member.name!r} needs a finite "
            f"number{' or nothing' if missing_allowed else ''} there"
        )
    return matrix


def member_columns(rows: Rows, member: Member) -> tuple[str, ...]:
    """Return the names of the numbers that the member reads, in its order."""
    return rows.names if member.columns is None else member.columns


def text_column(rows: Rows, member: Member) -> tuple[str, ...]:
    """Return the member's texts: the column it names, or the only one there is.

    Raises:
        BadInput: it is not there.
        BadModel: the member names several columns.
    """
    if member.columns is not None and len(member.columns) != 1:
        raise BadModel(
            f"model {member.name!r} reads one column of text; it names {list(member.columns)}"
        )
    wanted = member.columns[0] if member.columns else None
    if wanted is None and len(rows.texts) == 1:
        return next(iter(rows.texts.values()))
    if wanted is None or wanted not in rows.texts:
        needs = "one column of text" if wanted is None else f"the text column {wanted!r}"
        raise BadInput(f"model {member.name!r} needs {needs}; there are {sorted(rows.texts)}")
    return rows.texts[wanted]
