"""What every recipe shares: options over defaults, data that is there, an artifact on disk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inference.bundle import Bundle, Head, InputColumn, Member, read_bundle
from inference.cards import BaselineScore, Evaluation, ModelParameters, ModelPerformance
from inference.errors import BadInput
from inference.training.catalog import RECIPES, recipe_for
from inference.training.recipe import (
    Progress,
    Recipe,
    TextData,
    Trained,
    TrainingData,
    with_defaults,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Constant:
    """A recipe that always answers 1."""

    name = "constant"
    task = "nothing"
    model_type = "regression"
    framework = "numpy"
    description = "Says 1."
    extras: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {"horizon": 5, "ridge": 0.5, "tier": "numpy", "levels": (0.1,)}

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        progress(1.0, "done")
        return Trained(
            bundle=Bundle(
                name="constant",
                recipe="constant",
                task="nothing",
                model_type="regression",
                framework="numpy",
                inputs=(InputColumn(name="x"),),
                members=(Member(name="one", runtime="numpy", file="weights/one.safetensors"),),
                head=Head(kind="value"),
            ),
            files={"weights/one.safetensors": b"bytes"},
            evaluation=Evaluation(
                metric="squared error",
                loss=1.0,
                n=1,
                n_refits=1,
                first=NOW,
                last=NOW,
                purge_bars=1,
                baselines=(
                    BaselineScore(name="zero", loss=1.0, skill=0.0, skill_low=-0.1, skill_high=0.1),
                ),
            ),
            performance=ModelPerformance(mse=1.0),
            parameters=ModelParameters(),
        )


CONSTANT: Recipe = Constant()  # type: ignore[assignment]  # its literals are inferred as str


def test_options_lie_over_the_defaults() -> None:
    chosen = with_defaults(CONSTANT, {"ridge": 2, "levels": [0.2, 0.8]})
    assert chosen == {"horizon": 5, "ridge": 2.0, "tier": "numpy", "levels": (0.2, 0.8)}
    assert isinstance(chosen["ridge"], float)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"depth": 3}, "no option 'depth'; it has: horizon, levels, ridge, tier"),
        ({"horizon": "five"}, "'horizon' of the recipe 'constant' is a int"),
        ({"horizon": True}, "is a int"),
        ({"horizon": 2.5}, "is a int"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_by_name(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BadInput, match=complaint):
        with_defaults(CONSTANT, options)


def test_a_trained_model_is_a_folder_with_its_bundle(tmp_path: Path) -> None:
    data = TrainingData(panel=None, texts=None, as_of=NOW)
    trained = CONSTANT.train(data, {}, lambda share, words: None)
    trained.write(tmp_path)
    assert (tmp_path / "weights/one.safetensors").read_bytes() == b"bytes"
    assert read_bundle((tmp_path / "bundle.json").read_bytes()) == trained.bundle


def test_a_recipe_about_prices_says_that_they_are_missing() -> None:
    data = TrainingData(panel=None, texts=None, as_of=NOW)
    with pytest.raises(BadInput, match="'variance' learns from prices"):
        data.prices("variance")


def test_every_text_has_its_label() -> None:
    with pytest.raises(BadInput, match="2 texts and 1 labels"):
        TextData(("up", "down"), ("good",))


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no recipe 'alchemy'; there are"):
        recipe_for("alchemy")


def test_the_catalogue_calls_each_recipe_by_its_name() -> None:
    assert all(name == recipe.name for name, recipe in RECIPES.items())
