"""Examples of the runtimes that the development environment holds: trained here, in moments."""

from pathlib import Path

import numpy as np
import skops.io
import xgboost
from onnx import TensorProto, helper
from safetensors.numpy import save_file
from skl2onnx import to_onnx
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inference.requests import Floats, Rows
from tests.contracts.runtimes.cases import (
    NAMES,
    Case,
    Maker,
    headline_labels,
    headline_rows,
    member,
    training,
)


def numpy_linear(folder: Path) -> Case:
    """A ridge of the log variance, solved by hand."""
    x, y = training()
    mean = x.mean(axis=0)
    centred = x - mean
    weight = np.linalg.solve(
        centred.T @ centred + np.eye(4), centred.T @ (np.log(y) - np.log(y).mean())
    )
    bias = np.log(y).mean() - weight @ mean
    save_file(
        {"weight": weight[None], "bias": np.array([bias]), "input_mean": mean},
        folder / "ridge.safetensors",
    )
    return Case(
        member(
            "numpy", "ridge.safetensors", architecture="linear", options={"inputs": 4},
            columns=NAMES,
        ),
        lambda rows: (rows.numbers @ weight + bias)[:, None],
        contributions=lambda rows: (rows.numbers - mean) @ weight,
    )  # fmt: skip


def onnx_logistic(folder: Path) -> Case:
    """Logistic regression of a high variance, by scikit-learn's converter."""
    x, y = training()
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y > np.median(y))
    model = to_onnx(fitted, x[:1].astype(np.float32), options={"zipmap": False})
    (folder / "regime.onnx").write_bytes(model.SerializeToString())
    return Case(
        member("onnx", "regime.onnx", options={"output": "probabilities"}),
        lambda rows: fitted.predict_proba(rows.numbers),
        hidden="onnxruntime",
        extra="onnx",
    )


def onnx_columns(folder: Path) -> Case:
    """A graph with one named input per column, and double precision."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in NAMES[:2]
    ]
    output = helper.make_tensor_value_info("spread", TensorProto.DOUBLE, [None, 1])
    graph = helper.make_graph(
        [helper.make_node("Sub", list(NAMES[:2]), ["spread"])], "spread", inputs, [output]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "spread.onnx").write_bytes(model.SerializeToString())
    return Case(
        member("onnx", "spread.onnx", columns=NAMES[:2]),
        lambda rows: rows.numbers[:, :1] - rows.numbers[:, 1:2],
        hidden="onnxruntime",
        extra="onnx",
    )


def scikit_logistic(folder: Path) -> Case:
    """A scaled logistic regression, whose contributions are exact."""
    x, y = training()
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y > np.median(y))
    skops.io.dump(fitted, folder / "regime.skops")
    intercept = fitted[-1].intercept_[0]
    return Case(
        member("scikit_learn", "regime.skops", columns=NAMES),
        lambda rows: fitted.predict_proba(rows.numbers),
        hidden="sklearn",
        extra="sklearn",
        contributions=lambda rows: fitted.decision_function(rows.numbers) - intercept,
    )


def scikit_booster(folder: Path) -> Case:
    """A histogram booster with gamma loss; it has learned what to do with missing numbers."""
    x, y = training()
    x = np.where(np.random.default_rng(2).random(x.shape) < 0.05, np.nan, x)
    fitted = HistGradientBoostingRegressor(loss="gamma", max_iter=20).fit(x, y)
    skops.io.dump(fitted, folder / "booster.skops")
    return Case(
        member("scikit_learn", "booster.skops"),
        lambda rows: fitted.predict(rows.numbers)[:, None],
        hidden="skops",
        extra="sklearn",
        missing_allowed=True,
    )


def scikit_text(folder: Path) -> Case:
    """TF-IDF and logistic regression over headlines."""
    rows = headline_rows(60)
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression())
    fitted.fit(list(rows.texts["headline"]), headline_labels(60))
    skops.io.dump(fitted, folder / "sentiment.skops")
    return Case(
        member(
            "scikit_learn", "sentiment.skops", columns=("headline",),
            options={"input": "text", "classes": ["0", "1", "2"]},
        ),
        lambda rows: fitted.predict_proba(list(rows.texts["headline"])),
        rows=headline_rows,
        hidden="sklearn",
        extra="sklearn",
    )  # fmt: skip


def xgboost_gamma(folder: Path) -> Case:
    """A booster with gamma loss over named features."""
    x, y = training()
    data = xgboost.DMatrix(x, label=y * 1e4, feature_names=list(NAMES))
    booster = xgboost.train(
        {"objective": "reg:gamma", "max_depth": 3, "nthread": 2}, data, num_boost_round=30
    )
    booster.save_model(folder / "gamma.ubj")

    def asked(rows: Rows) -> xgboost.DMatrix:
        return xgboost.DMatrix(rows.numbers, feature_names=list(NAMES))

    def moved(rows: Rows) -> Floats:
        margin = booster.predict(asked(rows), output_margin=True)
        bias = booster.predict(asked(rows), pred_contribs=True)[:, -1]
        return np.asarray(margin - bias, dtype=np.float64)

    return Case(
        member("xgboost", "gamma.ubj", columns=NAMES),
        lambda rows: np.asarray(booster.predict(asked(rows)), dtype=np.float64)[:, None],
        hidden="xgboost",
        extra="xgboost",
        missing_allowed=True,
        contributions=moved,
    )


LOCAL: dict[str, Maker] = {
    "numpy": numpy_linear,
    "onnx": onnx_logistic,
    "onnx, an input per column": onnx_columns,
    "scikit_learn": scikit_logistic,
    "scikit_learn, a booster": scikit_booster,
    "scikit_learn, texts": scikit_text,
    "xgboost": xgboost_gamma,
}
