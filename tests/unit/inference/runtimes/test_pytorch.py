"""Networks by PyTorch: the same files and the same numbers as by numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.requests import Rows
from tests.fakes.networks import SHAPES, load, rows

torch = pytest.importorskip("torch")


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
