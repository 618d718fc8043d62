"""Networks by PyTorch: the same files and the same numbers as by numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.requests import Rows
from inference.runtimes.architectures import declared_architecture, tensor_shapes
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(17)
SHAPES: dict[str, dict[str, Any]] = {
    "linear": {"inputs": 12, "outputs": 2},
    "mlp": {"inputs": 12, "hidden": [9, 5], "outputs": 3, "activation": "gelu"},
    "monotone_quantiles": {
        "inputs": 12, "hidden": [9], "outputs": 7, "anchor": 3, "activation": "tanh",
    },
    "scaled_quantiles": {"inputs": 12, "outputs": 7},
    "gru_quantiles": {
        "inputs": 12, "window": 6, "channels": 2, "units": 8, "outputs": 5, "anchor": 2,
    },
}  # fmt: skip


def saved(folder: Path, architecture: str, runtime: Any, **more: Any) -> Member:
    options = {**SHAPES[architecture], **more}
    made = Member(
        name="net", runtime=runtime, file="net.safetensors", architecture=architecture,
        options=options,
    )  # fmt: skip
    shapes = tensor_shapes(declared_architecture(made))
    if not (folder / "net.safetensors").exists():
        tensors = {
            name: RNG.normal(0, 0.5, size=shape).astype(np.float32)
            for name, shape in shapes.items()
        }
        save_file(tensors, folder / "net.safetensors")
    return made


def load(folder: Path, architecture: str, runtime: Any = "pytorch", **more: Any) -> Loaded:
    what = saved(folder, architecture, runtime, **more)
    return runtime_for(runtime).load(folder, what, device="cpu")


def rows(count: int) -> Rows:
    return Rows(tuple(f"c{index}" for index in range(12)), RNG.normal(size=(count, 12)))


@pytest.mark.parametrize("architecture", list(SHAPES))
def test_numpy_and_torch_give_the_same_numbers_from_the_same_file(
    tmp_path: Path, architecture: str
) -> None:
    asked = rows(90)
    by_torch = load(tmp_path, architecture).run(asked, explain=True)
    by_numpy = load(tmp_path, architecture, "numpy").run(asked, explain=True)
    assert by_torch.columns is not None
    assert by_numpy.columns is not None
    np.testing.assert_allclose(by_torch.columns, by_numpy.columns, rtol=2e-5, atol=2e-5)
    if architecture == "linear":
        assert by_torch.contributions is not None
        assert by_numpy.contributions is not None
        assert np.array_equal(by_torch.contributions, by_numpy.contributions)


@pytest.mark.parametrize("runtime", ["numpy", "pytorch"])
@pytest.mark.parametrize("architecture", list(SHAPES))
def test_a_series_gives_the_same_bits_alone_and_among_ten_thousand(
    tmp_path: Path, architecture: str, runtime: str
) -> None:
    net = load(tmp_path, architecture, runtime, block=256)
    asked = rows(10_000)
    whole = net.run(asked).columns
    assert whole is not None
    assert len(whole) == 10_000
    for index in (*range(0, 10_000, 331), 9_999):
        one = net.run(Rows(asked.names, asked.numbers[[index]])).columns
        assert one is not None
        assert np.array_equal(one, whole[[index]])


def test_on_the_cpu_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(torch, "compile", refuse)
    assert load(tmp_path, "mlp").run(rows(3)).columns is not None


def test_a_network_computes_with_one_thread_or_as_many_as_were_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    load(tmp_path, "mlp")
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    load(tmp_path, "mlp")
    assert torch.get_num_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    load(tmp_path, "mlp")
