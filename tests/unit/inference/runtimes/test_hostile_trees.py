"""Made-up trees, which compiled code would follow out of their arrays, are refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.preprocessing import FunctionTransformer

from inference.bundle import Member
from inference.errors import BadModel, UnsafeArtifact
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded

RNG = np.random.default_rng(11)
X = RNG.normal(size=(200, 3))
Y = X[:, 0] + X[:, 1] * X[:, 2]


def load(folder: Path, runtime: Any, file: str) -> Loaded:
    member = Member(name="trees", runtime=runtime, file=file)
    return runtime_for(runtime).load(folder, member, device="cpu")


def booster(**parameters: Any) -> Any:
    data = xgboost.DMatrix(X, label=Y)
    return xgboost.train({"max_depth": 3, "nthread": 1, **parameters}, data, num_boost_round=3)


def damage(folder: Path, change: Any) -> None:
    booster().save_model(folder / "model.json")
    told = json.loads((folder / "model.json").read_bytes())
    change(told["learner"]["gradient_booster"]["model"])
    (folder / "model.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_children", 1_000_000),
        ("left_children", 0),
        ("right_children", -5),
        ("right_children", 1),
        ("split_indices", 77),
    ],
)
def test_a_booster_whose_links_lead_astray_is_refused(
    tmp_path: Path, field: str, value: int
) -> None:
    def change(model: Any) -> None:
        model["trees"][1][field][0] = value

    damage(tmp_path, change)
    with pytest.raises(UnsafeArtifact, match="tree 1"):
        load(tmp_path, "xgboost", "model.json")


def test_a_booster_with_a_tree_for_an_output_that_is_not_there_is_refused(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model["tree_info"][2] = 9

    damage(tmp_path, change)
    with pytest.raises(BadModel, match=r"model\.json"):
        load(tmp_path, "xgboost", "model.json")


@pytest.mark.parametrize("kind", ["gbtree", "dart", "gblinear"])
@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_every_kind_of_booster_is_loaded(tmp_path: Path, kind: str, suffix: str) -> None:
    made = booster(booster=kind) if kind != "gblinear" else booster(booster=kind, max_depth=None)
    made.save_model(tmp_path / f"model.{suffix}")
    assert load(tmp_path, "xgboost", f"model.{suffix}").size_bytes > 0


@pytest.mark.parametrize(
    ("field", "value"), [("children_left", 10_000), ("children_right", 0), ("feature", 3)]
)
def test_a_forest_whose_links_lead_astray_is_refused(
    tmp_path: Path, field: str, value: int
) -> None:
    forest = RandomForestRegressor(n_estimators=3, max_depth=3, random_state=0).fit(X, Y)
    skops.io.dump(forest, tmp_path / "forest.skops")
    assert load(tmp_path, "scikit_learn", "forest.skops").size_bytes > 0
    getattr(forest.estimators_[1].tree_, field)[0] = value
    skops.io.dump(forest, tmp_path / "forest.skops")
    with pytest.raises(UnsafeArtifact, match=r"forest\.skops"):
        load(tmp_path, "scikit_learn", "forest.skops")


@pytest.mark.parametrize(("field", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 3)])
def test_a_histogram_booster_whose_links_lead_astray_is_refused(
    tmp_path: Path, field: str, value: int
) -> None:
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, Y)
    model._predictors[1][0].nodes[field][0] = value
    skops.io.dump(model, tmp_path / "booster.skops")
    with pytest.raises(UnsafeArtifact, match=r"booster\.skops"):
        load(tmp_path, "scikit_learn", "booster.skops")


def _own(values: Any) -> Any:
    return values


def test_a_pipeline_that_holds_a_function_of_somebody_is_refused_by_name(tmp_path: Path) -> None:
    skops.io.dump(FunctionTransformer(_own), tmp_path / "own.skops")
    with pytest.raises(UnsafeArtifact, match="_own"):
        load(tmp_path, "scikit_learn", "own.skops")


def test_a_pickle_that_calls_itself_skops_is_refused_and_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    (tmp_path / "model.skops").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UnsafeArtifact, match="no skops file"):
        load(tmp_path, "scikit_learn", "model.skops")
    assert not (tmp_path / "exploded").exists()
