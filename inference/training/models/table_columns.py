"""Which columns of a table a model reads, and the steps that make numbers of them.

Judged on the rows of training alone: a column that is empty or too various there stays out,
whatever it holds later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.bundle import FeatureKind, InputColumn, PreprocessingStep
from inference.datasets.fitting import fit_steps
from inference.datasets.splits import Mask
from inference.datasets.steps import Apply, make_steps, select
from inference.datasets.table_data import TableData
from inference.datasets.tables import TableColumn, kind_of
from inference.errors import BadInput
from inference.requests import Floats, Rows

_MOST_CATEGORIES = 50
_ALIKE = 0.999


@dataclass(frozen=True, eq=False)
class Features:
    """What a model reads of a table."""

    rows: Rows
    """The columns it reads, of all rows."""
    inputs: tuple[InputColumn, ...]
    wanted: tuple[PreprocessingStep, ...]
    """Steps to be fitted: gaps filled, then the dataset's own, then categories."""
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Steps with what they learned."""

    steps: tuple[PreprocessingStep, ...]
    apply: Apply

    def matrix(self, rows: Rows) -> tuple[tuple[str, ...], Floats]:
        """Return the numbers that a member reads, with their names."""
        made = self.apply(rows)
        return made.names, made.numbers


def features_of(table: TableData, target: str, asked: Sequence[str], train: Mask) -> Features:
    """Return the features of a table: the columns asked for, or all but the target.

    Raises:
        BadInput: a column is not there, or none is left.
    """
    there = [name for name in table.kinds if name != target]
    for name in asked:
        if name not in there:
            raise BadInput(f"there is no column {name!r} to learn from; there are {there}")
    names = list(asked) or there
    steps = sorted(table.plan.steps, key=lambda step: step.order)
    by_step = {str(step.parameters.get("column")) for step in steps}
    learned = select(table.rows, names)
    numbers, texts, notes = [], [], []
    hot: list[str] = []
    for name in names:
        if name in learned.names:
            values = learned.numbers[train, learned.names.index(name)]
            if np.isfinite(values).any():
                numbers.append(name)
            else:
                notes.append(f"{name} has no number in the rows of training and is not read.")
            continue
        if name in by_step:
            texts.append(name)
            continue
        present = [t for t, kept in zip(learned.texts[name], train, strict=True) if kept and t]
        unique = len(set(present))
        column = TableColumn(name, "VARCHAR")
        if present and kind_of(column, unique=unique, present=len(present)) == "categorical":
            texts.append(name)
            hot.append(name)
        else:
            notes.append(
                f"{name} holds {unique:,} different texts and is not read: a step such as hash "
                "makes numbers of it."
            )
    if not numbers and not texts:
        raise BadInput(f"no column is left to learn from; looked at were {names}")
    wanted = [*_gaps(numbers, steps), *steps, *map(_hot, hot)]
    kinds: dict[str, FeatureKind] = {name: table.kinds[name] for name in numbers}
    kinds |= {name: "categorical" for name in texts}
    return Features(
        rows=select(learned, [*numbers, *texts]),
        inputs=tuple(InputColumn(name=name, kind=kind) for name, kind in kinds.items()),
        wanted=tuple(
            PreprocessingStep(type=step.type, parameters=step.parameters, order=order)
            for order, step in enumerate(wanted, start=1)
        ),
        notes=tuple(notes),
    )


def fit_features(wanted: Sequence[PreprocessingStep], rows: Rows) -> Fitted:
    """Return the steps fitted on these rows.

    Raises:
        BadInput: a step asks for a column that is not there.
    """
    steps = fit_steps(wanted, rows, np.ones(len(rows), dtype=np.bool_))
    return Fitted(steps, make_steps(steps))


def near_copies(features: Features, outcomes: Floats, train: Mask) -> tuple[str, ...]:
    """Return a warning for each column that is almost the target itself."""
    notes = []
    for index, name in enumerate(features.rows.names):
        both = train & np.isfinite(features.rows.numbers[:, index]) & np.isfinite(outcomes)
        values, aims = features.rows.numbers[both, index], outcomes[both]
        if len(values) < 3 or not values.std() or not aims.std():
            continue
        alike = float(np.corrcoef(values, aims)[0, 1])
        if abs(alike) > _ALIKE:
            notes.append(
                f"{name} is almost the target itself (correlation {alike:+.4f}): make sure that it "
                "is known when the forecast is made."
            )
    return tuple(notes)


def _gaps(numbers: Sequence[str], steps: Sequence[PreprocessingStep]) -> list[PreprocessingStep]:
    """Return the step that fills gaps in the numbers that no step of the dataset's fills."""
    filled: set[str] = set()
    for step in steps:
        if step.type == "impute":
            filled |= set(step.parameters.get("values", step.parameters.get("columns", numbers)))
    left = [name for name in numbers if name not in filled]
    if not left:
        return []
    return [PreprocessingStep(type="impute", parameters={"columns": left}, order=0)]


def _hot(name: str) -> PreprocessingStep:
    return PreprocessingStep(
        type="one_hot", parameters={"column": name, "most": _MOST_CATEGORIES}, order=0
    )
