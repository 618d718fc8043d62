"""The joined output of the members becomes an answer: value, interval, quantiles, probabilities.

Pure arithmetic. Whatever is impossible (NaN, infinity, a number no quantity of ours can have)
raises: it is never shown.
"""

from collections.abc import Callable

import numpy as np

from inference.bundle import Bundle, Head
from inference.errors import BadModel, ModelFailed
from inference.requests import Answers, Floats
from inference.runtimes.runtime import Outputs

LARGEST = 1e100
"""No price, return, variance or count comes near it: a larger output is a failure."""

_EVEN = 1e-6
"""So far from 1 may the sum of given probabilities be."""


def answer_of(bundle: Bundle, joined: Outputs, rows: int) -> Answers:
    """Return the answers of `rows` rows.

    Raises:
        ModelFailed: the output is nonsense; says what was wrong with it.
    """
    return HEADS[bundle.head.kind](bundle.head, joined, rows)


def check_head(head: Head) -> None:
    """Refuse a head that cannot give answers.

    Raises:
        BadModel: says which part of it is wrong.
    """
    levels = head.levels
    if head.kind == "quantiles" and not levels:
        raise BadModel("a head of kind 'quantiles' needs levels")
    if any(not 0.0 < level < 1.0 for level in levels) or list(levels) != sorted(set(levels)):
        raise BadModel(f"the head's levels are {levels}; they must rise between 0 and 1")
    if head.kind == "scaled_quantiles" and not head.residual_quantiles:
        raise BadModel("a head of kind 'scaled_quantiles' needs residualQuantiles")
    if head.kind == "classes" and len(head.classes) < 2:
        raise BadModel("a head of kind 'classes' needs at least two classes")
    if head.interval_level is not None and not 0.0 < head.interval_level < 1.0:
        raise BadModel(f"the head's intervalLevel is {head.interval_level}; it must be in (0, 1)")
    residual_levels = [level for level, _ in head.residual_quantiles]
    if residual_levels != sorted(set(residual_levels)):
        raise BadModel("the head's residualQuantiles must have rising levels")
    if not np.isfinite([head.scale, *(q for pair in head.residual_quantiles for q in pair)]).all():
        raise BadModel("the head's scale and residualQuantiles must be finite")
    calibrator(head)


def finite(columns: Floats | None, rows: int, *, what: str = "numbers") -> Floats:
    """Return the columns of an output, checked.

    Raises:
        ModelFailed: absent, of the wrong length, not finite or impossibly large.
    """
    if columns is None:
        raise ModelFailed(f"the model gave no {what}")
    if columns.ndim < 2 or len(columns) != rows:
        raise ModelFailed(f"the model gave {what} of shape {columns.shape} for {rows} rows")
    # One look when all is well; NaN is not below anything.
    if columns.size and not np.abs(columns).max() <= LARGEST:
        if not np.isfinite(columns).all():
            raise ModelFailed(f"the model gave {what} that are not finite")
        raise ModelFailed(f"the model gave {what} above {LARGEST:g}")
    return columns


def _first(joined: Outputs, rows: int) -> Floats:
    """Return the first column, in one piece: strided arrays take other roads through numpy."""
    return np.ascontiguousarray(finite(joined.columns, rows)[:, 0])


def _value(head: Head, joined: Outputs, rows: int) -> Answers:
    raw = _first(joined, rows)
    values = raw * head.scale
    levels, shifts = _residuals(head)
    quantiles = values[:, None] + shifts if levels else None
    return _with_interval(head, values, levels, quantiles)


def _log_variance(head: Head, joined: Outputs, rows: int) -> Answers:
    raw = _first(joined, rows)
    with np.errstate(over="ignore"):  # what overflows is refused below
        values = np.exp(raw) * head.scale
        levels, shifts = _residuals(head)
        # Residuals are of the logarithm: a smearing factor belongs to the mean, not to quantiles.
        quantiles = np.exp(raw[:, None] + shifts) if levels else None
    return _with_interval(head, values, levels, quantiles)


def _quantiles(head: Head, joined: Outputs, rows: int) -> Answers:
    columns = finite(joined.columns, rows)
    if columns.shape[1] != len(head.levels):
        raise ModelFailed(
            f"the model gave {columns.shape[1]} quantiles; its head has {len(head.levels)} levels"
        )
    shifts = dict(head.residual_quantiles)
    moved = columns * head.scale + np.array([shifts.get(level, 0.0) for level in head.levels])
    quantiles = np.sort(moved, axis=1)  # crossing ones are put in order
    middle = _at_level(0.5, head.levels, quantiles)
    return _with_interval(head, middle, head.levels, quantiles)


def _scaled_quantiles(head: Head, joined: Outputs, rows: int) -> Answers:
    """Return quantiles of standardised outcomes, times the deviation that a log variance gives."""
    raw = _first(joined, rows)
    levels, scores = _residuals(head)
    with np.errstate(over="ignore"):  # what overflows is refused below
        quantiles = (np.exp(0.5 * raw) * head.scale)[:, None] * scores
    finite(quantiles, rows, what="quantiles")
    return _with_interval(head, _at_level(0.5, levels, quantiles), levels, quantiles)


def _classes(head: Head, joined: Outputs, rows: int) -> Answers:
    columns = finite(joined.columns, rows)
    if columns.shape[1] == 1 and len(head.classes) == 2:
        second = 1.0 / (1.0 + np.exp(-np.clip(columns, -700, 700))) if head.logits else columns
        probabilities = np.hstack([1.0 - second, second])
    elif columns.shape[1] != len(head.classes):
        raise ModelFailed(
            f"the model gave {columns.shape[1]} columns; there are {len(head.classes)} classes"
        )
    elif head.logits:
        raised = np.exp(columns - columns.max(axis=1, keepdims=True))
        probabilities = raised / raised.sum(axis=1, keepdims=True)
    else:
        probabilities = columns
    if probabilities.min(initial=0.0) < -_EVEN or (abs(probabilities.sum(axis=1) - 1) > 1e-3).any():
        raise ModelFailed("the model gave probabilities that are negative or do not sum to 1")
    probabilities = calibrator(head)(np.clip(probabilities, 0.0, 1.0))
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    values = tuple(head.classes[index] for index in probabilities.argmax(axis=1))
    return Answers(values, probabilities=probabilities, classes=head.classes)


def _text(head: Head, joined: Outputs, rows: int) -> Answers:
    if joined.texts is None or len(joined.texts) != rows:
        given = "no" if joined.texts is None else str(len(joined.texts))
        raise ModelFailed(f"the model gave {given} texts for {rows} rows")
    return Answers(joined.texts)


def _paths(head: Head, joined: Outputs, rows: int) -> Answers:
    paths = finite(joined.paths, rows, what="paths")
    if paths.ndim != 3 or not paths.shape[1] or not paths.shape[2]:
        raise ModelFailed(f"the model gave paths of shape {paths.shape}")
    paths = paths * head.scale
    ends = paths.sum(axis=2)
    levels = head.levels or (0.1, 0.5, 0.9)
    quantiles = np.quantile(ends, levels, axis=1).T
    answers = _with_interval(head, np.median(ends, axis=1), levels, quantiles)
    return Answers(
        answers.values,
        quantiles=answers.quantiles,
        levels=answers.levels,
        low=answers.low,
        high=answers.high,
        interval_level=answers.interval_level,
        paths=paths,
    )


def _residuals(head: Head) -> tuple[tuple[float, ...], Floats]:
    levels = tuple(level for level, _ in head.residual_quantiles)
    return levels, np.array([shift for _, shift in head.residual_quantiles])


def _with_interval(
    head: Head, values: Floats, levels: tuple[float, ...], quantiles: Floats | None
) -> Answers:
    """Return answers with the interval that the head names, if the quantiles reach so far."""
    finite(values[:, None], len(values))
    if quantiles is None:
        return Answers(values)
    finite(quantiles, len(values), what="quantiles")
    low = high = None
    if head.interval_level is not None:
        below = (1.0 - head.interval_level) / 2.0
        if levels[0] <= below + _EVEN and levels[-1] >= 1.0 - below - _EVEN:
            low = _at_level(below, levels, quantiles)
            high = _at_level(1.0 - below, levels, quantiles)
    return Answers(
        values,
        quantiles=quantiles,
        levels=levels,
        low=low,
        high=high,
        interval_level=None if low is None else head.interval_level,
    )


def _at_level(level: float, levels: tuple[float, ...], quantiles: Floats) -> Floats:
    """Return the quantile at a level, on the straight line between its neighbours."""
    right = int(np.searchsorted(levels, level - _EVEN))
    if right == len(levels):
        return quantiles[:, -1]
    if right == 0 or abs(levels[right] - level) < _EVEN:
        return quantiles[:, right]
    share = (level - levels[right - 1]) / (levels[right] - levels[right - 1])
    left: Floats = quantiles[:, right - 1]
    return left + share * (quantiles[:, right] - left)


def calibrator(head: Head) -> Callable[[Floats], Floats]:
    """Return what makes measured probabilities of claimed ones, class by class.

    Two classes are calibrated by the second one.

    Raises:
        BadModel: the calibration is of an unknown kind or lacks a number.
    """
    given = head.calibration
    if not given:
        return lambda probabilities: probabilities
    try:
        match given["type"]:
            case "platt":
                one = _platt(np.asarray(given["a"], float), np.asarray(given["b"], float))
            case "isotonic":
                one = _isotonic(np.asarray(given["x"], float), np.asarray(given["y"], float))
            case other:
                raise BadModel(f"calibration {other!r} is unknown; there are platt, isotonic")
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadModel(f"the head's calibration is wrong or incomplete: {wrong}") from None
    if len(head.classes) != 2:
        return one

    def binary(probabilities: Floats) -> Floats:
        second = one(probabilities[:, 1:])
        return np.hstack([1.0 - second, second])

    return binary


def _platt(a: Floats, b: Floats) -> Callable[[Floats], Floats]:
    def apply(probabilities: Floats) -> Floats:
        inside = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
        logits: Floats = a * np.log(inside / (1.0 - inside)) + b
        calibrated: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700)))
        return calibrated

    return apply


def _isotonic(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    if x.ndim != 1 or x.shape != y.shape or not x.size or (np.diff(x) < 0).any():
        raise ValueError("'x' must rise and have as many numbers as 'y'")
    if (y < 0).any() or (y > 1).any():
        raise ValueError("'y' must be probabilities")
    floor = 1e-9  # no class is ever ruled out, and rows can be made to sum to 1
    return lambda probabilities: np.clip(np.interp(probabilities, x, y), floor, 1.0 - floor)


HEADS: dict[str, Callable[[Head, Outputs, int], Answers]] = {
    "value": _value,
    "log_variance": _log_variance,
    "quantiles": _quantiles,
    "scaled_quantiles": _scaled_quantiles,
    "classes": _classes,
    "text": _text,
    "paths": _paths,
}
