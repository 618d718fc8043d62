"""How well a table's model forecast: losses beside the baselines, as its card shows them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from inference.cards import Evaluation, ModelPerformance
from inference.requests import Floats
from inference.training.evaluation import label_scores, losses
from inference.training.evaluation.conformal import walk_forward_coverage
from inference.training.evaluation.scoring import Scores
from inference.training.evaluation.walk_forward import Cases, Mask
from inference.training.models.table_baselines import Fit
from inference.training.models.table_cases import Aims

FOLDS = 5
_MOST_SYMBOLS = 200


@dataclass(frozen=True, eq=False)
class Judged:
    """What the evaluation found."""

    evaluation: Evaluation
    performance: ModelPerformance
    scores: Scores
    notes: tuple[str, ...]
    residuals: Floats | None = None


Run = Callable[
    [Fit, int, Callable[[float], None]],
    tuple[Floats, int],
]


def in_folds(cases: Cases, known: Mask) -> Run:
    """Return what forecasts each fold of neighbouring rows by the others."""
    folds = np.array_split(np.flatnonzero(known), FOLDS)

    def run(fit: Fit, width: int, progress: Callable[[float], None]) -> tuple[Floats, int]:
        found = np.full((len(cases),) if width == 1 else (len(cases), width), np.nan)
        for index, fold in enumerate(folds):
            test = np.zeros(len(cases), dtype=np.bool_)
            test[fold] = True
            asked = cases.pick(test)
            hidden = replace(asked, outcomes=np.full(len(asked), np.nan))
            found[test] = fit(cases.pick(known & ~test), hidden)
            progress((index + 1) / FOLDS)
        return found, FOLDS

    return run


def seen_only(fit: Fit) -> Fit:
    """Return a fit that learns from classes that were there before the test alone."""
    return lambda train, test: fit(train.pick(train.outcomes >= 0), test)


def losses_of(values: Floats, outcomes: Floats, classes: tuple[str, ...]) -> Floats:
    """Return squared errors, or Brier scores; a class that nobody knew of is given nothing."""
    if not classes:
        return np.asarray((values - outcomes) ** 2, dtype=np.float64)
    certain = np.zeros_like(values)
    seen = outcomes >= 0
    certain[np.flatnonzero(seen), outcomes[seen].astype(int)] = 1.0
    return np.asarray(((values - certain) ** 2).sum(axis=1) + ~seen, dtype=np.float64)


def _evaluation(scores: Scores, words: tuple[str, ...], **more: Any) -> Evaluation:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = scores.evaluation(notes=words, **more)
    by_symbol = {name: skill for name, skill in found.by_symbol.items() if np.isfinite(skill)}
    return msgspec.structs.replace(
        found,
        by_year={year: skill for year, skill in found.by_year.items() if np.isfinite(skill)},
        by_symbol=by_symbol if 1 < len(by_symbol) <= _MOST_SYMBOLS else {},
    )


def judge_numbers(scores: Scores, values: Floats, words: tuple[str, ...], *, timed: bool) -> Judged:
    residuals = scores.cases.outcomes - values
    covered, count = walk_forward_coverage(scores.cases, residuals) if timed else ({}, 0)
    return Judged(
        evaluation=_evaluation(
            scores,
            words,
            coverage=covered,
            other={"rows with a judged interval": float(count)} if count else {},
        ),
        performance=ModelPerformance(
            mse=float(np.mean(residuals**2)),
            mae=float(np.mean(np.abs(residuals))),
            rmse=float(np.sqrt(np.mean(residuals**2))),
        ),
        scores=scores,
        notes=(),
        residuals=residuals,
    )


def judge_classes(scores: Scores, values: Floats, aims: Aims, words: tuple[str, ...]) -> Judged:
    seen = scores.cases.outcomes >= 0
    chance, truth = values[seen], scores.cases.outcomes[seen].astype(np.int64)
    precision, recall, f1 = label_scores.precision_recall_f1(chance, truth)
    area = losses.auc(truth.astype(np.float64), chance[:, 1]) if len(aims.classes) == 2 else None
    return Judged(
        evaluation=_evaluation(
            scores,
            words,
            calibration_error=label_scores.calibration_error(chance, truth),
            reliability=label_scores.reliability(chance, truth),
            other={"log loss": float(label_scores.log_loss(chance, truth).mean())},
        ),
        performance=ModelPerformance(
            accuracy=label_scores.accuracy(chance, truth),
            precision=precision,
            recall=recall,
            f1_score=f1,
            auc=area,
        ),
        scores=scores,
        notes=() if seen.all() else (f"{int((~seen).sum())} rows have a class of after the cut.",),
    )
