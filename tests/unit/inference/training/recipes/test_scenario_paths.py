"""Samplers are judged by a score that the truth wins, and store what was judged."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load

from inference.datasets.catalog import view_for
from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.training.evaluation.path_scores import (
    energy_score,
    log_mixture,
    log_normal,
    log_student5,
    stylised_facts,
)
from inference.training.models.path_models import Bootstrap, fit_filtered, histories
from inference.training.recipe import TooLittleData, Trained, TrainingData
from inference.training.recipes.scenario_paths import ScenarioPaths
from tests.fakes.clustered_panels import clustered

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def train(bars: int = 1500, **options: object) -> Trained:
    return ScenarioPaths().train(
        TrainingData(clustered(bars), None, WHEN, seed=1), options, lambda _, __: None
    )


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(paths=200)


def test_the_energy_score_is_least_for_the_true_distribution() -> None:
    dice = np.random.default_rng(0)
    truth = dice.standard_normal((300, 5))
    scores = {
        scale: np.mean([energy_score(scale * dice.standard_normal((200, 5)), one) for one in truth])
        for scale in (0.5, 1.0, 2.0)
    }
    assert min(scores, key=lambda scale: scores[scale]) == 1.0


def test_certainty_that_is_right_scores_nothing() -> None:
    assert energy_score(np.ones((10, 3)), np.ones(3)) == 0.0


def test_densities_are_those_of_the_textbook() -> None:
    grid = np.linspace(-40, 40, 80_001)
    step = grid[1] - grid[0]
    for density in (log_normal, log_student5):
        mass = np.exp(density(grid, np.full(len(grid), 1.5)))
        assert mass.sum() * step == pytest.approx(1.0, abs=1e-4)
        assert (mass * grid**2).sum() * step == pytest.approx(1.5**2, rel=0.01)
    both = log_mixture(
        grid, np.array([[0.3, 0.7]]), np.array([[-1.0, 1.0]]), np.array([[1.0, 2.0]])
    )
    assert np.exp(both).sum() * step == pytest.approx(1.0, abs=1e-6)


def test_clustered_returns_are_told_from_shuffled_ones() -> None:
    past = histories(clustered(3000, ("AAA",), seed=3))[0]
    facts = stylised_facts(past.returns[None, :])
    mixed = stylised_facts(np.random.default_rng(1).permutation(past.returns)[None, :])
    assert facts["acf1"] > 0.1 > abs(mixed["acf1"])
    assert facts["kurtosis"] == pytest.approx(mixed["kurtosis"])


def test_on_clustered_prices_the_filtered_paths_beat_single_draws(trained: Trained) -> None:
    long = train(3000)
    singles = next(one for one in long.evaluation.baselines if one.name == "iid bootstrap")
    assert singles.skill_low > 0
    assert 0.7 < long.evaluation.coverage["0.80"] < 0.9
    names = [one.name for one in trained.evaluation.baselines]
    assert names == ["block bootstrap", "iid bootstrap"]


def test_what_was_judged_is_what_the_engine_answers(trained: Trained, tmp_path: Path) -> None:
    trained.write(tmp_path)
    panel = clustered()
    assert trained.bundle.feature_view is not None
    view = view_for(trained.bundle.feature_view)
    table = view.compute(panel)["AAA"]
    row = {name: float(table.columns[name][-1]) for name in table.columns}
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    answers = model.answer(Rows.of([{**row, "seed": 3.0}]))
    past = histories(panel)[0]
    ours = fit_filtered(histories(panel), paths=200, steps=20, seed=1)
    assert answers.paths is not None
    assert np.allclose(answers.paths[0], ours.sample(past, len(past.times) - 1, seed=3))
    assert answers.low is not None
    assert answers.high is not None
    assert answers.low[0] < 0 < answers.high[0]
    unseeded = model.answer(Rows.of([row]))
    assert unseeded.paths is not None
    assert unseeded.paths.shape == (1, 200, 20)


def test_the_same_seed_gives_the_same_model() -> None:
    one, two = train(900), train(900)
    assert msgspec.json.encode(one.bundle) == msgspec.json.encode(two.bundle)
    assert one.evaluation == two.evaluation


def test_a_sample_reads_nothing_after_its_bar() -> None:
    past = histories(clustered(900, ("AAA",)))[0]
    cut = past.until(501)
    filtered = fit_filtered([cut], paths=50, steps=10, seed=0)
    for sampler in (filtered, Bootstrap(20.0, 50, 10)):
        assert np.array_equal(sampler.sample(past, 500, seed=1), sampler.sample(cut, 500, seed=1))


def test_wrong_options_and_short_histories_are_refused() -> None:
    with pytest.raises(BadInput, match="'tier' is 'llm'"):
        train(tier="llm")
    with pytest.raises(BadInput, match="'horizon' is 1; it is from 2 to 250"):
        train(horizon=1)
    with pytest.raises(TooLittleData, match="750 bars"):
        train(300)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_workers_train_the_net_of_one() -> None:
    pytest.importorskip("torch")
    options = {"tier": "gru", "steps": 12, "refits": 1, "paths": 50, "device": "cpu"}
    one, two = (train(900, workers=workers, **options) for workers in (1, 2))
    weights = [load(found.files["gru_mdn.safetensors"]) for found in (one, two)]
    for name, tensor in weights[0].items():
        np.testing.assert_allclose(weights[1][name], tensor, atol=1e-5)
    assert two.evaluation.loss == pytest.approx(one.evaluation.loss, rel=1e-3)
    assert two.metrics["computedWith"]["workers"] == 2


@pytest.mark.slow
def test_the_net_learns_memory_and_is_served_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = train(1200, tier="gru", steps=25, refits=1, paths=50)
    assert {one.name for one in found.evaluation.baselines} == {
        "filtered historical simulation", "block bootstrap", "iid bootstrap",
    }  # fmt: skip
    assert found.evaluation.other["NLL, recurrent mixture"] < 3.0
    assert found.bundle.framework == "pytorch"
    assert found.bundle.members[0].runtime == "numpy"
    found.write(tmp_path)
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    assert found.bundle.feature_view is not None
    table = view_for(found.bundle.feature_view).compute(clustered())["AAA"]
    row = {name: float(table.columns[name][-1]) for name in table.columns}
    answers = model.answer(Rows.of([row]))
    assert answers.paths is not None
    assert answers.paths.shape == (1, 50, 20)
