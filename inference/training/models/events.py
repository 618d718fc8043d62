"""Models of events: the probability of something that either happens or does not.

A logistic regression, by numpy or by scikit-learn, calibrated only where that helped on forecasts
it had not seen; judged by its Brier score beside the rate so far and whatever else is naive.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.bundle import Head, Member
from inference.cards import Evaluation, ModelPerformance
from inference.errors import MissingFramework
from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.comparison import CaseLosses
from inference.training.evaluation.scoring import Scores
from inference.training.evaluation.walk_forward import Cases, Plan, forecast
from inference.training.models.calibration import calibrate
from inference.training.models.linear_models import fit_logit, sigmoid

Fit = Callable[[Cases, Cases], Floats]


@dataclass(frozen=True, eq=False)
class Judged:
    """What a walk-forward evaluation of an event's probability found."""

    evaluation: Evaluation
    performance: ModelPerformance
    losses: CaseLosses
    calibration: dict[str, Any]
    """For the head: what helped; else empty."""


def judge(
    cases: Cases,
    plan: Plan,
    fit: Fit,
    naive: Mapping[str, Fit],
    *,
    progress: Callable[[float], None],
    notes: tuple[str, ...],
) -> Judged:
    """Forecast walk-forward and score; `naive` are the baselines by name."""
    raw, refits = forecast(cases, plan, fit, progress=lambda share: progress(0.8 * share))
    tested = np.isfinite(raw)
    judged, raw = cases.pick(tested), raw[tested]
    happened = judged.outcomes
    calibrated = calibrate(judged, raw, block_bars=plan.refit_bars)
    chance = calibrated.probability
    beside = {
        name: losses.brier(happened, forecast(cases, plan, one)[0][tested])
        for name, one in naive.items()
    }
    progress(1.0)
    scores = Scores(
        metric="Brier score",
        cases=judged,
        model=losses.brier(happened, chance),
        baselines=beside,
        refits=refits,
        embargo=cases.horizon,
    )
    area = losses.auc(happened, chance)
    other = {
        "log loss": float(losses.log_loss(happened, chance).mean()),
        "rate of the event": float(happened.mean()),
        **calibrated.tried,
    }
    return Judged(
        evaluation=scores.evaluation(
            notes=(*notes, calibrated.note),
            calibration_error=losses.calibration_error(happened, chance),
            debiased_calibration_error=losses.debiased_calibration_error(happened, chance),
            reliability=losses.reliability(happened, chance),
            other=other,
        ),
        performance=_performance(happened, chance, area),
        losses=scores.case_losses(),
        calibration=calibrated.head,
    )


def _performance(happened: Floats, chance: Floats, area: float | None) -> ModelPerformance:
    """Return the seed's numbers: the event is said to happen above a probability of 0.5."""
    said = chance > 0.5
    hits = float((said & (happened == 1.0)).sum())
    precision = hits / said.sum() if said.any() else None
    recall = hits / happened.sum() if happened.any() else None
    f1 = None
    if precision is not None and recall is not None and precision + recall > 0.0:
        f1 = float(2.0 * precision * recall / (precision + recall))
    return ModelPerformance(
        accuracy=float((said == (happened == 1.0)).mean()),
        precision=None if precision is None else float(precision),
        recall=None if recall is None else float(recall),
        f1_score=f1,
        # Of the probability: the Brier score, and its root.
        mse=float(losses.brier(happened, chance).mean()),
        rmse=float(np.sqrt(losses.brier(happened, chance).mean())),
        auc=area,
    )


@dataclass(frozen=True, eq=False)
class Part:
    """A fitted model as a part of a bundle."""

    member: Member
    weights: bytes
    head: Head


def fit_numpy(inputs: tuple[str, ...], ridge: float) -> Fit:
    """Return what fits a logistic regression with numpy."""

    def fit(train: Cases, test: Cases) -> Floats:
        model = fit_logit(train.columns(*inputs), train.outcomes, ridge=ridge)
        return sigmoid(model(test.columns(*inputs)))

    return fit


def numpy_part(
    known: Cases,
    inputs: tuple[str, ...],
    ridge: float,
    classes: tuple[str, str],
    calibration: dict[str, Any],
) -> Part:
    """Return the model fitted on everything, with its file."""
    model = fit_logit(known.columns(*inputs), known.outcomes, ridge=ridge)
    member = Member(
        name="logit",
        runtime="numpy",
        file="weights/logit.safetensors",
        architecture="linear",
        options={"inputs": len(inputs), "outputs": 1},
        columns=inputs,
    )
    head = Head(kind="classes", classes=classes, logits=True, calibration=calibration)
    return Part(member, model.to_bytes(), head)


def fit_scikit(inputs: tuple[str, ...], ridge: float) -> Fit:
    """Return what fits the same with scikit-learn."""

    def fit(train: Cases, test: Cases) -> Floats:
        pipeline = _pipeline(train.columns(*inputs), train.outcomes, ridge)
        found = pipeline.predict_proba(test.columns(*inputs))[:, 1]
        return np.asarray(found, dtype=np.float64)

    return fit


def scikit_part(
    known: Cases,
    inputs: tuple[str, ...],
    ridge: float,
    classes: tuple[str, str],
    calibration: dict[str, Any],
) -> Part:
    """Return the pipeline fitted on everything, saved by skops."""
    pipeline = _pipeline(known.columns(*inputs), known.outcomes, ridge)
    member = Member(
        name="pipeline",
        runtime="scikit_learn",
        file="weights/pipeline.skops",
        options={"method": "predict_proba"},
        columns=inputs,
    )
    head = Head(kind="classes", classes=classes, calibration=calibration)
    return Part(member, bytes(scikit_module("skops.io").dumps(pipeline)), head)


def require_scikit() -> None:
    """Refuse where scikit-learn or skops is absent.

    Raises:
        MissingFramework: says how to install them.
    """
    scikit_module("sklearn")
    scikit_module("skops.io")


def scikit_module(name: str) -> Any:
    """Return a module of scikit-learn or skops.

    Raises:
        MissingFramework: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingFramework("scikit-learn with skops", extra="sklearn") from None


def _pipeline(rows: Floats, happened: Floats, ridge: float) -> Any:
    scaler = scikit_module("sklearn.preprocessing").StandardScaler()
    model = scikit_module("sklearn.linear_model").LogisticRegression(C=1.0 / ridge, max_iter=1000)
    return scikit_module("sklearn.pipeline").make_pipeline(scaler, model).fit(rows, happened)
