"""Probabilities of events: skill where there is some, none in white noise."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.datasets.catalog import view_for
from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.panel import Panel, Series
from inference.requests import Answers, Rows
from inference.runtimes.catalog import runtime_for
from inference.training.recipe import Recipe, Trained, TrainingData
from inference.training.recipes.direction import DIRECTION_RECIPE, verdict
from inference.training.recipes.volatility_regime import VOLATILITY_REGIME
from tests.fakes.made_markets import made_panel, made_series

QUICK = {"refit_bars": 200}


def trained(recipe: Recipe, panel: Panel, **options: Any) -> Trained:
    data = TrainingData(panel=panel, texts=None, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    return recipe.train(data, {**QUICK, **options}, lambda share, words: None)


def answered(found: Trained, panel: Panel, folder: Path) -> Answers:
    folder.mkdir(exist_ok=True)
    found.write(folder)
    model = LoadedModel.load(folder, runtime_for=runtime_for)
    assert found.bundle.feature_view is not None
    table = view_for(found.bundle.feature_view).compute(panel)["S0"]
    names = tuple(column.name for column in found.bundle.inputs)
    rows = Rows(names, np.stack([table.columns[name][500:] for name in names], axis=1))
    return model.answer(rows)


def test_turbulence_is_forecast_better_than_by_the_rate_and_by_persistence() -> None:
    found = trained(VOLATILITY_REGIME, made_panel(4, 1500, seed=7))
    skill = {one.name: one for one in found.evaluation.baselines}
    assert skill["climatology"].skill_low > 0.05
    assert skill["persistence"].skill > 0.0
    assert found.evaluation.calibration_error is not None
    assert found.evaluation.calibration_error < 0.08
    assert found.performance.auc is not None
    assert found.performance.auc > 0.65
    assert sum(cases for _, _, cases in found.evaluation.reliability) == found.evaluation.n


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_skill_stays_no_skill_on_white_noise(seed: int) -> None:
    # In these markets variance clusters, but nothing tells up from down.
    found = trained(DIRECTION_RECIPE, made_panel(4, 1500, seed=seed))
    assert not found.evaluation.has_skill
    assert found.notes[0].startswith("No usable skill")
    assert found.performance.auc == pytest.approx(0.5, abs=0.06)


def trending(symbol: str, seed: int) -> Series:
    """Return a series whose months of rise and fall can be seen: direction with skill."""
    series = made_series(symbol, 1200, seed=seed)
    wave = 0.01 * np.sign(np.sin(np.arange(1200) * 2 * np.pi / 120))
    drift = np.exp(np.cumsum(wave))
    columns = {name: getattr(series, name) * drift for name in ("open", "high", "low", "close")}
    return replace(series, **columns, total=series.total * drift)


def test_a_direction_that_is_there_would_be_found() -> None:
    panel = Panel("1d", tuple(trending(f"T{seed}", seed) for seed in range(3)))
    found = trained(DIRECTION_RECIPE, panel, ridge=10.0)
    assert found.evaluation.has_skill
    assert verdict(found.evaluation).startswith("Measured skill")


@pytest.mark.parametrize("tier", ["numpy", "scikit_learn"])
def test_the_regime_is_served_with_probabilities_of_its_classes(tier: str, tmp_path: Path) -> None:
    if tier == "scikit_learn":
        pytest.importorskip("skops")
    panel = made_panel(3, 1000, seed=8)
    found = trained(VOLATILITY_REGIME, panel, tier=tier)
    assert found.bundle.framework == tier
    answers = answered(found, panel, tmp_path / tier)
    assert answers.classes == ("calm", "turbulent")
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1.0)
    assert set(answers.values) <= {"calm", "turbulent"}
    now = view_for("market.regime@1").compute(panel)["S0"].columns["turbulent"][500:]
    chance = answers.probabilities[:, 1]
    assert chance[now == 1.0].mean() > chance[now == 0.0].mean() + 0.1


def test_both_tiers_say_the_same(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    panel = made_panel(2, 900, seed=9)
    ours, theirs = (
        answered(trained(VOLATILITY_REGIME, panel, tier=tier), panel, tmp_path / tier)
        for tier in ("numpy", "scikit_learn")
    )
    assert ours.probabilities is not None
    assert theirs.probabilities is not None
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=0.02)


def test_direction_is_served(tmp_path: Path) -> None:
    panel = made_panel(2, 900, seed=10)
    answers = answered(trained(DIRECTION_RECIPE, panel), panel, tmp_path / "direction")
    assert answers.classes == ("not risen", "risen")
    assert answers.probabilities is not None
    assert (answers.probabilities > 0.2).all()


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (VOLATILITY_REGIME, {"horizon": 1}),
        (VOLATILITY_REGIME, {"tier": "deep"}),
        (DIRECTION_RECIPE, {"horizon": 0}),
    ],
)
def test_what_cannot_be_done_is_said(recipe: Recipe, options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="horizon"):
        trained(recipe, made_panel(1, 500), **options)
