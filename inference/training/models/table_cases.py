"""A table's rows as cases: what is to be foretold, when each was forecast, when it was over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.cards import ModelType
from inference.datasets.intake import TableManifest
from inference.datasets.splits import RowSplits, split_by_time
from inference.datasets.table_data import TableData, take_rows
from inference.errors import BadInput
from inference.panel import Times
from inference.requests import Floats, Rows
from inference.training.evaluation.walk_forward import NEVER, Cases
from inference.training.models import table_baselines

ROW = "row"
"""The column of a case that tells which row of the table it is."""
KINDS = ("auto", "regression", "classification")
_MOST_CLASSES = 20
_LONGEST_OVERLAP = 250
_Known = NDArray[np.bool_]


def target_type(table: TableManifest, target: str, kind: str) -> ModelType:
    """Return what kind of model foretells a column: texts and truths are classes.

    Raises:
        BadInput: there is no such column, or it cannot be foretold in this way.
    """
    types = {column.name: column.type for column in table.columns}
    roles = table.roles
    if kind not in KINDS:
        raise BadInput(f"the option 'kind' is one of {', '.join(KINDS)}, not {kind!r}")
    fit = [n for n in types if n not in (roles.time, roles.known, roles.entity)]
    if target not in fit or types[target].startswith("TIMESTAMP"):
        what = "name the column to foretell (target)" if not target else f"{target!r} cannot be"
        allowed = [name for name in fit if not types[name].startswith("TIMESTAMP")]
        raise BadInput(f"{what}{' foretold' if target else ''}; the table has {allowed}")
    classes = types[target] in ("VARCHAR", "BOOLEAN")
    if classes and kind == "regression":
        raise BadInput(f"{target!r} holds {types[target]}: only numbers have a regression")
    return "classification" if classes or kind == "classification" else "regression"


@dataclass(frozen=True, eq=False)
class Aims:
    """What is to be foretold, row by row."""

    values: Floats
    """A quantity, or the number of a class; NaN where it is not known."""
    classes: tuple[str, ...] = ()

    def within(self, known: _Known) -> "Aims":
        """Return the same with the classes that these rows have; others become -1."""
        if not self.classes:
            return self
        seen = np.unique(self.values[known & np.isfinite(self.values)]).astype(int)
        number = {int(old): float(new) for new, old in enumerate(seen)}
        values = np.array(
            [np.nan if np.isnan(one) else number.get(int(one), -1.0) for one in self.values]
        )
        return Aims(values, tuple(self.classes[old] for old in seen))


def aims_of(table: TableData, target: str, model_type: ModelType) -> Aims:
    """Return the outcomes of a column.

    Raises:
        BadInput: it has one value only, or more classes than 20.
    """
    if model_type == "regression":
        numbers = table.rows.numbers[:, table.rows.names.index(target)]
        values = np.where(np.isfinite(numbers), numbers, np.nan)
        if not np.nanstd(values) > 0.0:
            raise BadInput(f"{target!r} has one value only: there is nothing to foretell")
        return Aims(values)
    texts = _texts(table, target)
    classes = sorted({text for text in texts if text})
    if not 2 <= len(classes) <= _MOST_CLASSES:
        raise BadInput(
            f"{target!r} has {len(classes):,} classes; from 2 to {_MOST_CLASSES} can be foretold"
        )
    number = {text: float(index) for index, text in enumerate(classes)}
    return Aims(np.array([number.get(text, np.nan) for text in texts]), tuple(classes))


def _texts(table: TableData, target: str) -> list[str]:
    if target in table.rows.texts:
        return list(table.rows.texts[target])
    numbers = table.rows.numbers[:, table.rows.names.index(target)].tolist()
    if table.kinds[target] == "binary":
        return ["" if one != one else ("true" if one else "false") for one in numbers]
    return ["" if one != one else f"{one:.15g}" for one in numbers]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table as cases, parted by time; without a time, no part is apart."""

    cases: Cases
    parts: RowSplits | None
    season: int

    def rows(self, table: Rows, cases: Cases) -> Rows:
        """Return the table's rows of some cases."""
        return take_rows(table, cases.column(ROW).astype(np.int64))


def cases_of_table(table: TableData, aims: Aims, *, season: int | None) -> Prepared:
    """Return a table's rows as cases; `season` in rows of an entity, None: as their steps say.

    Raises:
        BadInput: there are too few rows for the parts.
    """
    count = len(table)
    names, symbols = np.unique(np.array(table.entities, dtype=object), return_inverse=True)
    parts: RowSplits | None = None
    times: Times = np.arange(count).astype("datetime64[s]")
    overlap = 1
    released: Times = np.full(count, NEVER)
    found = season or 0
    if table.times is not None:
        times = table.times
        # What is known of a row at its own moment is not its target.
        wait = np.timedelta64(max(1, round(table.plan.embargo_s)), "s")
        embargo = np.timedelta64(round(table.plan.embargo_s), "s")
        parts = split_by_time(times, table.plan.shares, embargo=embargo)
        released = np.asarray(times + wait)
        overlap = _overlap(times, table.plan.embargo_s)
        if season is None:
            found = table_baselines.season_of(times, symbols, parts.train)
    cases = Cases(
        names=(ROW,),
        rows=np.arange(count, dtype=np.float64)[:, None],
        outcomes=aims.values,
        times=times,
        released=released,
        symbols=symbols.astype(np.int64),
        symbol_names=tuple(str(name) for name in names),
        horizon=overlap,
        aside=np.full(count, np.nan),
    )
    if table.times is not None:
        more = table_baselines.lagged(cases, found)
        cases = replace(
            cases,
            names=(ROW, *more),
            rows=np.stack([cases.rows[:, 0], *more.values()], axis=1),
        )
    return Prepared(cases, parts, found)


def _overlap(times: Times, embargo_s: float) -> int:
    """Return over how many moments neighbouring targets may share their luck."""
    steps = np.diff(np.unique(times).astype(np.int64))
    if not len(steps) or not embargo_s:
        return 1
    return int(min(_LONGEST_OVERLAP, max(1.0, np.ceil(embargo_s / float(np.median(steps))))))


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an option names: a list, or one text with commas."""
    return tuple(part.strip() for one in names for part in one.split(",") if part.strip())
