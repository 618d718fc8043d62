"""The variance recipe learns what is there, says so with honest intervals, and can be served."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.datasets.catalog import view_for
from inference.datasets.market_targets import variance_ahead, variances
from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.panel import Panel, Series
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.training.recipe import Cancelled, TooLittleData, Trained, TrainingData
from inference.training.recipes.variance import VARIANCE
from tests.fakes.made_markets import made_panel

QUICK = {"garch": False, "refit_bars": 200}


def data(panel: Panel) -> TrainingData:
    return TrainingData(panel=panel, texts=None, as_of=datetime(2026, 1, 1, tzinfo=UTC))


def trained(panel: Panel, **options: Any) -> Trained:
    return VARIANCE.train(data(panel), {**QUICK, **options}, lambda share, words: None)


def white(bars: int, seed: int) -> Series:
    """Return a series whose variance is the same on every day."""
    dice = np.random.default_rng(seed)
    within = dice.standard_normal((bars, 16)) * 0.01 / 4.0
    gaps = dice.standard_normal(bars) * 0.005
    paths = np.cumsum(within, axis=1)
    close = np.cumsum(gaps + paths[:, -1])
    opened = close - paths[:, -1]
    days = np.arange(bars).astype("datetime64[D]").astype("datetime64[s]")
    return Series(
        f"W{seed}",
        days,
        np.exp(opened),
        np.exp(opened + np.maximum(paths.max(axis=1), 0.0)),
        np.exp(opened + np.minimum(paths.min(axis=1), 0.0)),
        np.exp(close),
        np.exp(dice.standard_normal(bars)),
        np.exp(close),
    )


@pytest.mark.parametrize("horizon", [1, 5])
def test_it_beats_ewma_where_variance_clusters_and_its_intervals_hold(horizon: int) -> None:
    found = trained(made_panel(4, 1500, seed=2), horizon=horizon).evaluation
    skill = {one.name: one for one in found.baselines}
    assert skill["RiskMetrics EWMA"].skill_low > 0.1
    # Bursts on volume fade within days in this market: only one bar ahead there is more to know.
    assert found.loss < skill["log-HAR"].loss * (1.0 if horizon == 1 else 1.05)
    assert found.coverage["0.80"] == pytest.approx(0.80, abs=0.05)
    assert found.coverage["0.95"] == pytest.approx(0.95, abs=0.03)
    assert found.purge_bars == 2 * horizon
    assert set(found.by_symbol) == {"S0", "S1", "S2", "S3"}
    assert any("vanished" in note for note in found.notes)


def test_where_variance_never_changes_it_claims_no_skill_over_har() -> None:
    panel = Panel("1d", tuple(white(1200, seed) for seed in range(3)))
    found = trained(panel, horizon=5).evaluation
    assert found.best_baseline().skill_low < 0.0
    assert not found.has_skill


def test_the_same_data_and_seed_give_the_same_model() -> None:
    panel = made_panel(2, 900)
    first, second = trained(panel), trained(panel)
    assert first.files == second.files
    assert first.evaluation == second.evaluation


def test_what_it_saves_is_served_with_the_numbers_that_it_computes(tmp_path: Path) -> None:
    panel = made_panel(3, 1000)
    found = trained(panel, horizon=5)
    found.write(tmp_path)
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    assert found.bundle.feature_view is not None
    table = view_for(found.bundle.feature_view).compute(panel)["S1"]
    names = tuple(column.name for column in found.bundle.inputs)
    rows = Rows(names, np.stack([table.columns[name][400:] for name in names], axis=1))
    answers = model.answer(rows, explain=True)
    values = np.asarray(answers.values, dtype=np.float64)
    assert answers.low is not None
    assert answers.high is not None
    assert answers.contributions is not None
    assert (answers.low < answers.high).all()
    assert answers.interval_level == 0.8
    outcome = variance_ahead(panel.series[1], 5)[400:]
    known = np.isfinite(outcome)
    inside = (outcome >= answers.low) & (outcome <= answers.high)
    assert inside[known].mean() == pytest.approx(0.8, abs=0.1)
    assert np.corrcoef(np.log(values[known]), np.log(outcome[known]))[0, 1] > 0.4
    level = np.exp(np.log(values) - answers.contributions.sum(axis=1))
    np.testing.assert_allclose(level, level[0], rtol=1e-6)
    # The unit is variance a bar: the level is that of the bars it came from.
    assert values.mean() == pytest.approx(np.nanmean(variances(panel.series[1])), rel=0.5)


@pytest.mark.slow
def test_the_boosted_tier_is_served_as_the_geometric_mean(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    panel = made_panel(2, 900)
    found = trained(panel, tier="boosted", trees=20)
    assert found.bundle.framework == "xgboost"
    found.write(tmp_path)
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    names = tuple(column.name for column in found.bundle.inputs)
    table = view_for("market.volatility@1").compute(panel)["S0"]
    rows = Rows(names, np.stack([table.columns[name][500:] for name in names], axis=1))
    alone = trained(panel)
    (tmp_path / "alone").mkdir()
    alone.write(tmp_path / "alone")
    ridge = LoadedModel.load(tmp_path / "alone", runtime_for=runtime_for)
    joined = np.log(np.asarray(model.answer(rows).values, dtype=np.float64))
    first = np.log(np.asarray(ridge.answer(rows).values, dtype=np.float64))
    trees = 2.0 * joined - first  # what is left of the mean of two logarithms
    assert np.corrcoef(trees, first)[0, 1] > 0.5
    assert not np.allclose(trees, first)


def test_it_says_what_it_cannot_do() -> None:
    with pytest.raises(BadInput, match="tiers numpy, boosted and horizons of 1 to 60"):
        trained(made_panel(1, 400), horizon=0)
    with pytest.raises(TooLittleData, match="300 to learn from"):
        trained(made_panel(1, 200))


def test_whoever_cancels_is_heard() -> None:
    def stop(share: float, words: str) -> None:
        if share > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        VARIANCE.train(data(made_panel(1, 900)), QUICK, stop)
