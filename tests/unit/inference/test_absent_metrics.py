"""Each of the seed's fields of performance has a number or a reason, for every recipe."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from inference.absent_metrics import absent_metrics
from inference.cards import ModelCard, ModelPerformance
from inference.datasets.intake import IntakeWishes, take_in
from inference.datasets.table_data import TableData, TablePlan, read_table
from inference.training.catalog import RECIPES
from inference.training.recipe import TextData, TrainingData
from tests.fakes.made_markets import made_panel

SEED_FIELDS = {
    "accuracy", "precision", "recall", "f1Score", "mse", "mae", "rmse", "auc", "latencyMs",
    "throughput",
}  # fmt: skip
CLASSES, ERRORS = {"accuracy", "precision", "recall", "f1Score", "auc"}, {"mse", "mae", "rmse"}
FILLED: dict[str, set[str]] = {
    "variance": ERRORS,
    "return_quantiles": ERRORS,
    "volatility_regime": CLASSES | {"mse", "rmse"},
    "direction": CLASSES | {"mse", "rmse"},
    "news_sentiment": CLASSES,
    "scenario_paths": set(),
    "no_trade_band": set(),
    "tabular": ERRORS,
}
QUICK: dict[str, dict[str, Any]] = {
    "variance": {"garch": False, "refit_bars": 400},
    "news_sentiment": {"folds": 2},
    "tabular": {"target": "sales"},
}
AT = datetime(2026, 1, 1, tzinfo=UTC)


def card_of(recipe: str, folder: Path) -> ModelCard:
    made = RECIPES[recipe]
    data = TrainingData(panel=made_panel(3, 1100), texts=texts(), table=table(folder), as_of=AT)
    trained = made.train(data, QUICK.get(recipe, {}), lambda _, __: None)
    return ModelCard(
        id=UUID(int=1),
        name=recipe,
        version="1",
        type=made.model_type,
        framework="numpy",
        architecture="",
        parameters=trained.parameters,
        performance=trained.performance,
        status="ready",
        training_dataset_id=None,
        validation_metrics={"evaluation": msgspec.to_builtins(trained.evaluation)},
        created_by=None,
        trained_at=AT,
        created_at=AT,
        updated_at=AT,
    )


def texts() -> TextData:
    dice = np.random.default_rng(0)
    words = {"positive": "gain", "neutral": "meeting", "negative": "loss"}
    labels = [list(words)[index % 3] for index in range(90)]
    said = tuple(f"{''.join(dice.choice(list('abcd'), 5))} {words[one]}" for one in labels)
    return TextData(said, tuple(labels), numbers={"lexicon_score": tuple(dice.normal(size=90))})


def table(folder: Path) -> TableData:
    dice = np.random.default_rng(0)
    days = np.datetime64("2023-01-01") + np.arange(400)
    lines = [
        f"{day},{warm:.3f},{50 + 2 * warm:.3f}"
        for day, warm in zip(days, dice.normal(15, 8, 400), strict=True)
    ]
    source = folder / "rows.csv"
    source.write_text("\n".join(["day,warm,sales", *lines]) + "\n")
    taken = take_in(source, "csv", folder / "kept", IntakeWishes(), now=AT)
    return read_table(taken.path, TablePlan(manifest=taken.manifest))


def test_every_recipe_is_asked() -> None:
    assert set(FILLED) == set(RECIPES)
    assert {field.encode_name for field in msgspec.structs.fields(ModelPerformance)} == SEED_FIELDS


@pytest.mark.slow
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_field_has_a_number_or_a_reason(recipe: str, tmp_path: Path) -> None:
    if recipe == "news_sentiment":
        pytest.importorskip("skops")
    card = card_of(recipe, tmp_path)
    there = set(msgspec.to_builtins(card.performance))
    assert there == FILLED[recipe]
    reasons = absent_metrics(card)
    assert set(reasons) == SEED_FIELDS - there
    assert all(len(why) > 20 for why in reasons.values())
    assert reasons["latencyMs"] == "It was not timed on this machine."


def test_the_errors_of_a_probability_are_its_brier_score(tmp_path: Path) -> None:
    card = card_of("volatility_regime", tmp_path)
    evaluation = card.evaluation()
    assert evaluation is not None
    assert card.performance.mse == pytest.approx(evaluation.loss)
    assert card.performance.rmse == pytest.approx(evaluation.loss**0.5)
    assert "Brier" in absent_metrics(card)["mae"]
