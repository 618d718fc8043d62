"""Return quantiles cover what they promise, and are served as they were trained."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from inference.datasets.catalog import view_for
from inference.datasets.market_targets import return_ahead
from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.panel import Panel
from inference.requests import Answers, Rows
from inference.runtimes.catalog import runtime_for
from inference.training.parallel import learn
from inference.training.recipe import Trained, TrainingData
from inference.training.recipes.return_quantiles import LEVELS, RETURN_QUANTILES
from tests.fakes.made_markets import made_panel


def trained(panel: Panel, **options: Any) -> Trained:
    data = TrainingData(panel=panel, texts=None, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    return RETURN_QUANTILES.train(data, {"refit_bars": 200, **options}, lambda share, words: None)


def answered(found: Trained, panel: Panel, folder: Path) -> Answers:
    found.write(folder)
    model = LoadedModel.load(folder, runtime_for=runtime_for)
    table = view_for("market.volatility@1").compute(panel)["S0"]
    names = tuple(column.name for column in found.bundle.inputs)
    return model.answer(
        Rows(names, np.stack([table.columns[name][400:] for name in names], axis=1))
    )


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_its_intervals_cover_and_it_beats_plain_history(horizon: int) -> None:
    found = trained(made_panel(4, 1500, seed=4), horizon=horizon).evaluation
    assert found.coverage["0.80"] == pytest.approx(0.8, abs=0.05)
    assert found.coverage["0.90"] == pytest.approx(0.9, abs=0.05)
    skill = {one.name: one.skill for one in found.baselines}
    assert skill["rolling 250 bars"] > 0.0
    if horizon == 1:
        assert found.has_skill


def test_it_is_served_with_the_coverage_that_it_had(tmp_path: Path) -> None:
    panel = made_panel(3, 1000, seed=5)
    answers = answered(trained(panel, horizon=5), panel, tmp_path)
    assert answers.levels == LEVELS
    assert answers.quantiles is not None
    assert answers.low is not None
    assert answers.high is not None
    assert (np.diff(answers.quantiles, axis=1) > 0.0).all()
    outcome = return_ahead(panel.series[0], 5)[400:]
    known = np.isfinite(outcome)
    inside = ((outcome >= answers.low) & (outcome <= answers.high))[known]
    assert inside.mean() == pytest.approx(0.8, abs=0.1)
    # The width follows the volatility that is known.
    width = answers.high - answers.low
    assert width.max() > 1.5 * width.min()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["pytorch", "numpy"])
def test_the_net_is_trained_by_torch_and_runs_with_and_without_it(
    runtime: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    panel = made_panel(2, 800, seed=6)
    found = trained(panel, tier="torch", epochs=4, refit_bars=400, serve_with=runtime)
    assert found.bundle.framework == "pytorch"
    assert found.bundle.members[0].runtime == runtime
    answers = answered(found, panel, tmp_path)
    assert answers.quantiles is not None
    assert (np.diff(answers.quantiles, axis=1) > 0.0).all()
    assert found.evaluation.coverage["0.80"] == pytest.approx(0.8, abs=0.12)
    other = "numpy" if runtime == "pytorch" else "pytorch"
    again = trained(panel, tier="torch", epochs=4, refit_bars=400, serve_with=other)
    (tmp_path / "other").mkdir()
    same = answered(again, panel, tmp_path / "other")
    assert same.quantiles is not None
    np.testing.assert_allclose(same.quantiles, answers.quantiles, atol=1e-5)
    assert again.evaluation == found.evaluation


@pytest.mark.slow
def test_a_blend_is_served_as_the_mean_of_what_its_members_say(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    panel = made_panel(2, 800, seed=6)
    options = {"epochs": 4, "refit_bars": 400, "serve_with": "numpy"}
    served = {}
    for tier in ("numpy", "torch", "blend"):
        (tmp_path / tier).mkdir()
        found = trained(panel, tier=tier, **options)
        served[tier] = answered(found, panel, tmp_path / tier).quantiles
    share = found.evaluation.other["weight of the scale model"]
    assert [one.weight for one in found.bundle.members] == [share, 1.0 - share]
    assert 0.0 <= share <= 1.0
    scale, net, blend = (served[tier] for tier in ("numpy", "torch", "blend"))
    assert scale is not None
    assert net is not None
    assert blend is not None
    np.testing.assert_allclose(blend, share * scale + (1.0 - share) * net, atol=1e-6)
    assert (np.diff(blend, axis=1) > 0.0).all()
    # What is simpler has to be beaten too, before it serves by itself.
    names = {one.name for one in found.evaluation.baselines}
    assert {"scale model alone", "net alone"} < names


@pytest.mark.slow
def test_nets_that_were_trained_before_a_kill_are_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    panel = made_panel(2, 800, seed=6)
    data = TrainingData(
        panel=panel, texts=None, as_of=datetime(2026, 1, 1, tzinfo=UTC), checkpoint=tmp_path
    )
    options = {"tier": "torch", "epochs": 2, "refit_bars": 200, "device": "cpu"}
    found = RETURN_QUANTILES.train(data, options, lambda share, words: None)
    assert len(list(tmp_path.iterdir())) == found.evaluation.n_refits + 1

    def refuse(*_: Any) -> None:
        raise AssertionError("a step was made")

    monkeypatch.setattr(learn._Learner, "make_step", refuse)
    again = RETURN_QUANTILES.train(data, options, lambda share, words: None)
    assert again.files == found.files
    assert again.evaluation == found.evaluation


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_workers_train_the_net_of_one() -> None:
    pytest.importorskip("torch")
    panel = made_panel(2, 800, seed=6)
    options = {"tier": "torch", "epochs": 4, "refit_bars": 400, "device": "cpu"}
    one, two = (trained(panel, workers=workers, **options) for workers in (1, 2))
    assert two.metrics == {"computedWith": {"workers": 2, "device": "cpu", "card": None}}
    assert two.bundle == one.bundle
    weights = [load(found.files["weights/net.safetensors"]) for found in (one, two)]
    for name, tensor in weights[0].items():
        np.testing.assert_allclose(weights[1][name], tensor, atol=1e-5)
    assert two.evaluation.loss == pytest.approx(one.evaluation.loss, rel=1e-5)
    assert one.losses is not None
    assert two.losses is not None
    np.testing.assert_allclose(two.losses.losses, one.losses.losses, atol=1e-6)


def test_it_says_what_it_cannot_do() -> None:
    with pytest.raises(BadInput, match="the tier 'numpy' computes in one process on the CPU"):
        trained(made_panel(1, 400), workers=2)
    with pytest.raises(BadInput, match="tiers numpy, torch, blend"):
        trained(made_panel(1, 400), tier="magic")
    with pytest.raises(BadInput, match="must be pytorch or numpy"):
        trained(made_panel(1, 400), serve_with="abacus")
