"""Fit preprocessing to rows of training, so that `steps` can replay it on any row.

Each step is fitted on what the steps before it made of the rows, and only on the rows of training:
what is learned from validation, test or the future would be a look ahead. What comes out is what a
bundle stores; parameters that are fitted already stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.bundle import PreprocessingStep
from inference.datasets.splits import Mask
from inference.datasets.steps import STEPS, make_steps
from inference.errors import BadInput
from inference.requests import Floats, Rows

Fit = Callable[[Mapping[str, Any], Rows], dict[str, Any]]
"""What was asked for, and the rows of training -> fitted parameters."""

_MOST_CATEGORIES = 100


def fit_steps(
    wanted: Sequence[PreprocessingStep], rows: Rows, train: Mask
) -> tuple[PreprocessingStep, ...]:
    """Return the steps with parameters fitted on the rows of `train`, in rising order.

    Raises:
        BadInput: a step is unknown, asks for a column that is not there or holds no number.
        BadModel: fitted parameters that were given do not fit.
    """
    if len(train) != len(rows):
        raise BadInput(f"{len(train)} marks for {len(rows)} rows")
    learned = _only(rows, train)
    if not len(learned):
        raise BadInput("there is no row of training to fit preprocessing on")
    fitted: list[PreprocessingStep] = []
    for step in sorted(wanted, key=lambda step: step.order):
        if step.type not in STEPS:
            raise BadInput(
                f"preprocessing step {step.type!r} is unknown; there are {', '.join(sorted(STEPS))}"
            )
        fit = FITS.get(step.type)
        parameters = dict(step.parameters)
        if fit is not None:
            try:
                parameters = fit(step.parameters, learned)
            except (TypeError, ValueError) as wrong:
                raise BadInput(f"preprocessing step {step.type!r}: {wrong}") from None
        one = PreprocessingStep(type=step.type, parameters=parameters, order=step.order)
        learned = make_steps([one])(learned)
        fitted.append(one)
    return tuple(fitted)


def _only(rows: Rows, mask: Mask) -> Rows:
    texts = {
        name: tuple(text for text, kept in zip(column, mask, strict=True) if kept)
        for name, column in rows.texts.items()
    }
    return Rows(rows.names, rows.numbers[mask], texts)


def _columns(asked: Mapping[str, Any], rows: Rows) -> tuple[str, ...]:
    """Return the number columns that were asked for; all of them where nobody says."""
    columns = asked.get("columns", rows.names)
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise TypeError("'columns' must be a list of column names")
    for name in columns:
        if name not in rows.names:
            raise ValueError(f"there is no number column {name!r}; there are {list(rows.names)}")
    return tuple(columns)


def _present(rows: Rows, column: str) -> Floats:
    values = rows.numbers[:, rows.names.index(column)]
    values = values[np.isfinite(values)]
    if not len(values):
        raise ValueError(f"{column!r} has no number in the rows of training")
    return values


def _impute(asked: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """`strategy`: median (by default) or mean, of `columns`."""
    if "values" in asked:
        return dict(asked)
    strategy = asked.get("strategy", "median")
    if strategy not in {"median", "mean"}:
        raise ValueError(f"'strategy' must be median or mean, not {strategy!r}")
    found = {name: _present(rows, name) for name in _columns(asked, rows)}
    return {
        "values": {
            name: float(np.mean(values) if strategy == "mean" else np.median(values))
            for name, values in found.items()
        }
    }


def _standardize(asked: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Of `columns`; one whose values are all the same is divided by 1."""
    if "means" in asked:
        return dict(asked)
    found = {name: _present(rows, name) for name in _columns(asked, rows)}
    return {
        "means": {name: float(values.mean()) for name, values in found.items()},
        "deviations": {name: float(values.std()) or 1.0 for name, values in found.items()},
    }


def _winsorize(asked: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """`lower` and `upper`: the quantiles beyond which values of `columns` are cut."""
    if "low" in asked or "high" in asked:
        return dict(asked)
    lower, upper = float(asked.get("lower", 0.01)), float(asked.get("upper", 0.99))
    if not 0.0 <= lower < upper <= 1.0:
        raise ValueError(f"'lower' {lower:g} and 'upper' {upper:g} must rise within 0 .. 1")
    found = {
        name: np.quantile(_present(rows, name), [lower, upper]) for name in _columns(asked, rows)
    }
    return {
        "low": {name: float(cuts[0]) for name, cuts in found.items()},
        "high": {name: float(cuts[1]) for name, cuts in found.items()},
    }


def _log1p(asked: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    return {"columns": list(_columns(asked, rows))}


def _categories(asked: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """`column`, and at `most` how many of its values: the most frequent, by name."""
    if "categories" in asked:
        return dict(asked)
    column = asked.get("column")
    if column not in rows.texts:
        raise ValueError(f"there is no text column {column!r}; there are {list(rows.texts)}")
    most = asked.get("most", _MOST_CATEGORIES)
    if not isinstance(most, int) or not 1 <= most <= 10_000:
        raise ValueError(f"'most' must be from 1 to 10,000, not {most!r}")
    counts = Counter(text for text in rows.texts[column] if text)
    kept = sorted(counts, key=lambda text: (-counts[text], text))[:most]
    others = {name: value for name, value in asked.items() if name != "most"}
    return {**others, "categories": sorted(kept)}


FITS: dict[str, Fit] = {
    "impute": _impute,
    "standardize": _standardize,
    "clip": _winsorize,
    "winsorize": _winsorize,
    "log1p": _log1p,
    "one_hot": _categories,
    "ordinal": _categories,
}
"""Kind -> what learns its parameters; the others have nothing to learn."""
