"""What can be fitted to the rows of a table: ridge and logit by numpy, and two extras.

A quantity is forecast by its mean, a class by probabilities. scikit-learn and XGBoost are imported
when they are asked for, never before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Member
from inference.requests import Floats
from inference.training.models import boosting
from inference.training.models.events import require_scikit, scikit_module
from inference.training.models.linear_models import (
    fit_logit,
    fit_mean,
    fit_softmax,
    sigmoid,
    softmax,
)

TIERS = ("numpy", "boosted", "scikit_learn")
_TREES = {
    "max_depth": 4,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "min_child_weight": 5,
    "lambda": 5.0,
    "nthread": 1,
    "tree_method": "hist",
}
"""One thread, so that sums stay equal. Not tuned to any table."""


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A model of a table."""

    predict: Callable[[Floats], Floats]
    """Rows -> a number each, or of shape (rows, classes) the probabilities."""
    member: Member
    weights: bytes
    logits: bool = False
    """The member gives log odds, of which its head makes probabilities."""


@dataclass(frozen=True)
class Design:
    """How to fit."""

    tier: str
    ridge: float
    trees: int
    seed: int
    classes: int
    """0: a quantity."""

    def require(self) -> None:
        """Refuse where what it needs is absent.

        Raises:
            MissingFramework: says how to install it.
        """
        if self.tier == "boosted":
            boosting.require()
        if self.tier == "scikit_learn":
            require_scikit()


def fit_member(
    design: Design, rows: Floats, outcomes: Floats, names: tuple[str, ...]
) -> FittedMember:
    """Return the model of these rows; of classes, an outcome is the number of its class."""
    fit = {"numpy": _numpy, "boosted": _boosted, "scikit_learn": _scikit}[design.tier]
    return fit(design, rows, outcomes, names)


def _numpy(design: Design, rows: Floats, outcomes: Floats, names: tuple[str, ...]) -> FittedMember:
    outputs = 1 if design.classes < 3 else design.classes
    kind = "logit" if design.classes else "ridge"
    member = Member(
        name=kind,
        runtime="numpy",
        file=f"weights/{kind}.safetensors",
        architecture="linear",
        options={"inputs": len(names), "outputs": outputs},
        columns=names,
    )
    if not design.classes:
        mean = fit_mean(rows, outcomes, ridge=design.ridge)
        return FittedMember(mean, member, mean.to_bytes())
    if design.classes == 2:
        odds = fit_logit(rows, outcomes, ridge=design.ridge)
        return FittedMember(lambda at: _both(sigmoid(odds(at))), member, odds.to_bytes(), True)
    many = fit_softmax(rows, _labels(outcomes), design.classes, ridge=design.ridge)
    return FittedMember(lambda at: softmax(many(at)), member, many.to_bytes(), True)


def _boosted(
    design: Design, rows: Floats, outcomes: Floats, names: tuple[str, ...]
) -> FittedMember:
    xgboost = boosting.require()
    settings: dict[str, Any] = {**_TREES, "seed": design.seed}
    if not design.classes:
        settings |= {"objective": "reg:squarederror", "base_score": float(outcomes.mean())}
    elif design.classes == 2:
        settings |= {"objective": "binary:logistic"}
    else:
        settings |= {"objective": "multi:softprob", "num_class": design.classes}
    # Names as they may stand in a booster: without brackets and signs of comparison.
    features = [f"c{index}" for index in range(len(names))]
    data = xgboost.DMatrix(rows, outcomes, feature_names=features, nthread=1)
    booster = xgboost.train(settings, data, design.trees)
    booster.feature_names = None

    def predict(at: Floats) -> Floats:
        asked = xgboost.DMatrix(at, nthread=1)
        found = np.asarray(booster.predict(asked, validate_features=False), dtype=np.float64)
        return _both(found) if design.classes == 2 else found

    member = Member(
        name="trees",
        runtime="xgboost",
        file="weights/trees.ubj",
        options={"output": "margin"} if design.classes else {},
        columns=names,
    )
    return FittedMember(predict, member, boosting.to_bytes(booster), bool(design.classes))


def _scikit(design: Design, rows: Floats, outcomes: Floats, names: tuple[str, ...]) -> FittedMember:
    linear = scikit_module("sklearn.linear_model")
    model: Any
    if design.classes:
        model = linear.LogisticRegression(C=1.0 / design.ridge, max_iter=1000)
        outcomes = _labels(outcomes).astype(np.float64)
    else:
        model = linear.Ridge(alpha=design.ridge)
    scaler = scikit_module("sklearn.preprocessing").StandardScaler()
    pipeline = scikit_module("sklearn.pipeline").make_pipeline(scaler, model).fit(rows, outcomes)

    def predict(at: Floats) -> Floats:
        if not design.classes:
            return np.asarray(pipeline.predict(at), dtype=np.float64)
        found = np.zeros((len(at), design.classes))
        # A class that these rows did not have has no column.
        found[:, pipeline.classes_.astype(int)] = pipeline.predict_proba(at)
        return found

    member = Member(
        name="pipeline",
        runtime="scikit_learn",
        file="weights/pipeline.skops",
        options={"method": "predict_proba" if design.classes else "predict"},
        columns=names,
    )
    return FittedMember(predict, member, bytes(scikit_module("skops.io").dumps(pipeline)))


def _both(second: Floats) -> Floats:
    return np.stack([1.0 - second, second], axis=1)


def _labels(outcomes: Floats) -> NDArray[np.int64]:
    return outcomes.astype(np.int64)
