"""Trees with gamma loss by XGBoost, an extra: imported when a recipe asks for it, never before."""

import importlib
from typing import Any

import numpy as np

from inference.errors import MissingFramework
from inference.requests import Floats

Booster = Any
_SETTINGS = {
    "objective": "reg:gamma",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "min_child_weight": 20,
    "lambda": 5.0,
    "nthread": 1,
    "tree_method": "hist",
}
"""One thread: on a few thousand rows a second one waits more than it helps, and sums stay equal."""


def require() -> Any:
    """Return the module.

    Raises:
        MissingFramework: it is not installed.
    """
    try:
        return importlib.import_module("xgboost")
    except ImportError:
        raise MissingFramework("XGBoost", extra="xgboost") from None


def fit_gamma(
    rows: Floats, variance: Floats, names: tuple[str, ...], trees: int, *, seed: int
) -> Booster:
    """Fit trees whose margin is the log of the mean variance."""
    xgboost = require()
    data = xgboost.DMatrix(rows, variance, feature_names=list(names), nthread=1)
    settings = {**_SETTINGS, "base_score": float(variance.mean()), "seed": seed}
    return xgboost.train(settings, data, trees)


def margins(booster: Booster, rows: Floats) -> Floats:
    """Return the log of the forecasts."""
    xgboost = require()
    data = xgboost.DMatrix(rows, feature_names=booster.feature_names, nthread=1)
    return np.asarray(booster.predict(data, output_margin=True), dtype=np.float64)


def to_bytes(booster: Booster) -> bytes:
    """Return the booster as UBJ."""
    return bytes(booster.save_raw(raw_format="ubj"))
