"""Paths are drawn from the seed alone, and remember how volatile they were."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.errors import BadModel
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.path_sampling import (
    FHS,
    GRU,
    SEED,
    GruMixture,
    draw_blocks,
    feed_back,
    gru_shapes,
)
from inference.runtimes.runtime import Loaded

COLUMNS = ("log_variance_fast", "log_variance_slow", SEED)


def fhs(folder: Path, **options: object) -> Loaded:
    z = np.random.default_rng(0).standard_normal(500)
    breaks = np.zeros(500)
    breaks[[249, 499]] = 1.0
    save_file({"z": z, "breaks": breaks}, folder / "fhs.safetensors")
    said = {
        "residuals": 500, "pull": 0.0, "keep": 1.0, "decay": 0.94,
        "block": 20.0, "paths": 4000, "steps": 20, **options,
    }  # fmt: skip
    member = Member(
        name="fhs",
        runtime="numpy",
        file="fhs.safetensors",
        architecture=FHS,
        options=said,
        columns=COLUMNS,
    )
    return runtime_for("numpy").load(folder, member, device="cpu")


def rows(*states: tuple[float, float, float]) -> Rows:
    return Rows(COLUMNS, np.array(states))


def test_a_row_gives_the_same_paths_alone_and_beside_others(tmp_path: Path) -> None:
    model = fhs(tmp_path, paths=50)
    one, other = (np.log(1e-4), np.log(2e-4), 7.0), (np.log(9e-4), np.log(2e-4), 8.0)
    together = model.run(rows(one, other, one)).paths
    alone = model.run(rows(one)).paths
    assert together is not None
    assert alone is not None
    assert np.array_equal(together[0], alone[0])
    assert np.array_equal(together[0], together[2])
    assert not np.array_equal(together[0], together[1])


def test_without_a_seed_of_its_own_a_row_takes_the_models(tmp_path: Path) -> None:
    state = (np.log(1e-4), np.log(1e-4))
    unseeded = fhs(tmp_path, paths=50, seed=5).run(rows((*state, np.nan))).paths
    seeded = fhs(tmp_path, paths=50, seed=9).run(rows((*state, 5.0))).paths
    assert unseeded is not None
    assert seeded is not None
    assert np.array_equal(unseeded, seeded)


def test_the_first_step_has_the_volatility_of_the_state_and_later_ones_drift_home(
    tmp_path: Path,
) -> None:
    model = fhs(tmp_path, keep=0.8, steps=60)
    found = model.run(rows((np.log(16e-4), np.log(1e-4), 1.0))).paths
    assert found is not None
    deviations = found[0].std(axis=0)
    assert deviations[0] == pytest.approx(0.04, rel=0.1)
    assert deviations[-1] == pytest.approx(0.01, rel=0.2)


def test_blocks_never_run_from_one_instrument_into_another() -> None:
    breaks = np.zeros(100, dtype=bool)
    breaks[[49, 99]] = True
    at = draw_blocks(breaks, 1e9, paths=2000, steps=10, seed=1)
    before, after = at[:, :-1], at[:, 1:]
    inside = ~breaks[before]
    assert (after[inside] == before[inside] + 1).all()
    assert (at[:, 0] == 49).any()


def test_a_large_return_makes_the_next_ones_larger() -> None:
    z = np.ones((2, 3))
    z[1, 0] = 5.0
    calm, shaken = feed_back(z, 1.0, 1.0, keep=1.0, decay=0.9)
    assert calm.tolist() == [1.0, 1.0, 1.0]
    assert shaken[1] ** 2 == pytest.approx(0.9 + 0.1 * 25.0)
    assert shaken[2] ** 2 == pytest.approx(shaken[1] ** 2)


def test_the_nets_arithmetic_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.GRU(2, 8, batch_first=True)
    head = torch.nn.Linear(8, 9)
    moves = np.random.default_rng(2).standard_normal(40)
    tensors = {f"gru.{name}": value.detach().numpy() for name, value in net.named_parameters()}
    tensors |= {f"head.{name}": value.detach().numpy() for name, value in head.named_parameters()}
    assert {name: one.shape for name, one in tensors.items()} == gru_shapes(8, 3)
    seen = torch.tensor(np.stack([moves, np.abs(moves)], axis=1)[None], dtype=torch.float32)
    with torch.no_grad():
        out = head(net(seen)[0])[0, -1].numpy()
    ours = GruMixture(tensors, 3)
    state = np.zeros((1, 8))
    for move in moves:
        state = ours.step(np.array([move]), state)
    weights, means, deviations = ours.mixture(state)
    assert means[0] == pytest.approx(out[3:6], abs=1e-5)
    assert np.log(deviations[0]) == pytest.approx(out[6:], abs=1e-5)
    assert weights[0] == pytest.approx(np.exp(out[:3]) / np.exp(out[:3]).sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"residuals": 400}, "shape"),
        ({"pull": 2.0}, "options of 'fhs_paths'"),
        ({"code": "x"}, "unknown field"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(BadModel, match=said):
        fhs(tmp_path, **options)


def test_a_net_must_name_its_window(tmp_path: Path) -> None:
    tensors = {name: np.zeros(shape) for name, shape in gru_shapes(4, 2).items()}
    save_file(tensors, tmp_path / "net.safetensors")
    member = Member(
        name="net",
        runtime="numpy",
        file="net.safetensors",
        architecture=GRU,
        options={"window": 3, "hidden": 4, "mixtures": 2, "paths": 10, "steps": 5},
        columns=("a", "b"),
    )
    with pytest.raises(BadModel, match="must name 4 columns"):
        runtime_for("numpy").load(tmp_path, member, device="cpu")
