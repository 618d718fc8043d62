"""Networks on a card: a fast way is taken only if it works and gives the plain network's numbers.

What needs a card is skipped without one; the choice between ways is tested with ways of the tests,
and what the compiler makes with the compiler of this machine.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import Overloaded
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from tests.fakes.networks import SHAPES, load, rows, saved

torch = pytest.importorskip("torch")
card = pytest.importorskip("inference.runtimes.torch_card")
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no card")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler")


def small_net() -> Any:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)
    ).requires_grad_(False)


def examples(*sizes: int) -> dict[int, Any]:
    dice = torch.Generator().manual_seed(5)
    return {size: torch.randn(size, 6, generator=dice) for size in sizes}


class Recorder:
    """Stands in for CUDA graphs: keeps rows in one place, as they do, and notes their sizes."""

    def __init__(self, *, fails: bool = False, off: float = 0.0) -> None:
        self.sizes: list[int] = []
        self._fails, self._off = fails, off

    def __call__(self, run: Callable[[Any], Any], given: Any) -> Callable[[Any], Any]:
        self.sizes.append(len(given))
        if self._fails:
            raise RuntimeError("operation not permitted\nwhen stream is capturing")
        held, outputs = given.clone(), run(given).clone()

        def replay(block: Any) -> Any:
            held.copy_(block)
            outputs.copy_(run(held) + self._off)
            return outputs

        return replay


def uncompiled(run: Any) -> Any:
    return run


def refused(run: Any) -> Any:
    raise NotImplementedError("no GRU here")


def test_every_size_is_recorded_and_the_largest_is_compiled_too() -> None:
    net, recorder, compiled = small_net(), Recorder(), []

    def note(run: Any) -> Any:
        compiled.append(run)
        return run

    asked = examples(4, 8, 16)
    runs = card.prepare(net, asked, card.Tools(note, recorder), name="net")
    assert recorder.sizes == [16, 8, 4]
    assert compiled == [net]
    for size, block in examples(4, 8, 16).items():
        assert torch.equal(runs[size](block), net(block))


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")  # what the compiler warns of is its own affair
def test_what_the_compiler_makes_gives_the_numbers_of_the_plain_network(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = []

    def compiled(run: Any) -> Any:
        made.append(torch.compile(run, fullgraph=True, dynamic=False))
        return made[0]

    net = small_net()
    with torch.inference_mode():
        runs = card.prepare(net, examples(8, 64), card.Tools(compiled, Recorder()), name="net")
        block = examples(64)[64] * 2.0
        assert made
        assert card.distance(runs[64](block), net(block)) <= card.EXACT
    assert not [one for one in caplog.records if one.name == card.__name__]


def test_what_cannot_be_compiled_is_recorded_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net, recorder = small_net(), Recorder()
    with caplog.at_level(logging.WARNING):
        runs = card.prepare(net, examples(4, 8), card.Tools(refused, recorder), name="net")
    assert recorder.sizes == [8, 4]
    assert [one.getMessage() for one in caplog.records] == [
        "model 'net' runs without being compiled: NotImplementedError: no GRU here"
    ]
    assert runs[8] is not net


def test_where_nothing_can_be_recorded_the_plain_network_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net, recorder = small_net(), Recorder(fails=True)
    with caplog.at_level(logging.WARNING):
        runs = card.prepare(net, examples(4, 8), card.Tools(uncompiled, recorder), name="net")
    assert runs == {4: net, 8: net}
    # Tried once compiled and once not, for the largest alone: it would fail for the others too.
    assert recorder.sizes == [8, 8]
    assert [one.getMessage().split(":")[0] for one in caplog.records] == [
        "model 'net' runs without being compiled",
        "model 'net' runs without being recorded",
    ]


@pytest.mark.parametrize("off", [1e-2, float("nan")])
def test_a_way_that_gives_other_numbers_is_not_taken(
    off: float, caplog: pytest.LogCaptureFixture
) -> None:
    net = small_net()
    with caplog.at_level(logging.WARNING):
        runs = card.prepare(net, examples(8), card.Tools(uncompiled, Recorder(off=off)), name="net")
    assert runs == {8: net}
    assert "runs without being recorded: it is off by" in caplog.text


def test_a_block_that_does_not_fit_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    plain = small_net()

    def net(block: Any) -> Any:
        if len(block) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(block)

    tools = card.Tools(uncompiled, Recorder())
    with caplog.at_level(logging.WARNING):
        assert list(card.prepare(net, examples(8, 64), tools, name="net")) == [8]
    assert "a block of 64 rows does not fit" in caplog.text
    with pytest.raises(torch.OutOfMemoryError):
        card.prepare(net, examples(64), tools, name="net")


def test_blocks_are_as_large_as_there_is_room(caplog: pytest.LogCaptureFixture) -> None:
    gib = 2**30
    assert card.block_sizes(4096, row_bytes=1000, free_bytes=gib) == (64, 512, 4096)
    assert card.block_sizes(256, row_bytes=1000, free_bytes=gib) == (64, 256)
    assert card.block_sizes(32, row_bytes=1000, free_bytes=gib) == (32,)
    assert caplog.text == ""
    assert card.block_sizes(4096, row_bytes=2**20, free_bytes=gib) == (64, 512)
    assert "1024 MiB free: blocks have 512 rows at most, not 4096" in caplog.text
    assert card.block_sizes(4096, row_bytes=gib, free_bytes=gib) == (64,)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 512, 513, 4096, 4097, 10_000])
def test_all_rows_go_through_in_blocks_that_hold_them(count: int) -> None:
    sizes = (64, 512, 4096)
    parts = card.pieces(count, sizes)
    assert [row for start, stop, _ in parts for row in range(start, stop)] == list(range(count))
    for start, stop, size in parts:
        assert size in sizes
        assert (stop - start) % 4096 == 0 or stop - start <= size
    assert card.pieces(10_000, sizes) == [(0, 8192, 4096), (8192, 10_000, 4096)]


def test_bfloat16_is_taken_if_it_stays_close(caplog: pytest.LogCaptureFixture) -> None:
    net, block = small_net(), examples(256)[256]
    with torch.inference_mode():
        narrow = card.narrowed(net, block, name="net", usable=True)
        assert isinstance(narrow, card.Narrow)
        found, exact = narrow(block), net(block)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    assert float(((found - exact).abs() / exact.std(dim=0)).max()) <= card.NARROW
    assert caplog.text == ""


def test_bfloat16_is_left_where_it_is_far_off_or_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net, block = small_net(), examples(256)[256]
    # Outputs that hardly vary around a large value: bfloat16 has three digits.
    net[2].bias.add_(1000.0)
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        assert card.narrowed(net, block, name="net", usable=True) is net
        assert card.narrowed(net, block, name="net", usable=False) is net
    assert "runs in float32: bfloat16 is off by" in caplog.text
    assert "asks for bfloat16, which this device lacks" in caplog.text


def test_a_card_that_gets_full_computes_in_smaller_blocks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net: Any = load(tmp_path, "mlp", block=64)
    asked = rows(100)
    whole = net.run(asked).columns
    net._runs = {16: net._runs[64], 64: net._runs[64]}
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        found = net._smaller(asked.numbers, 64)
        np.testing.assert_allclose(found.numpy(), whole, rtol=1e-5, atol=1e-6)
        assert list(net._runs) == [16]
        assert "blocks of model 'net' get smaller" in caplog.text
        with pytest.raises(Overloaded, match="no memory left for 16 rows"):
            net._smaller(asked.numbers, 16)


def on_card(folder: Path, architecture: str, **more: Any) -> Any:
    member = saved(folder, architecture, "pytorch", **more)
    return runtime_for("pytorch").load(folder, member, device="cuda")


@needs_card
@pytest.mark.timeout(300)
@pytest.mark.parametrize("architecture", list(SHAPES))
def test_the_card_gives_the_numbers_of_the_processor(tmp_path: Path, architecture: str) -> None:
    asked = rows(5_000)
    here = load(tmp_path, architecture, block=64)
    there = on_card(tmp_path, architecture, block=None)
    exact, found = here.run(asked).columns, there.run(asked).columns
    assert exact is not None
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4 * np.abs(exact).max())
    assert sorted(there._runs) == [64, 512, 4096]
    for count in (1, 64, 65, 512, 4096):
        few = Rows(asked.names, asked.numbers[:count])
        np.testing.assert_allclose(
            there.run(few).columns, exact[:count], rtol=1e-4, atol=1e-4 * np.abs(exact).max()
        )


@needs_card
@pytest.mark.timeout(300)
def test_blocks_are_replayed_and_allocate_nothing(tmp_path: Path) -> None:
    there = on_card(tmp_path, "monotone_quantiles", block=None)
    assert all(run.__name__ == "replay" for run in there._runs.values())
    asked = rows(5_000)
    there.run(asked)
    before = torch.cuda.memory_reserved()
    for _ in range(20):
        there.run(asked)
    assert torch.cuda.memory_reserved() == before
    assert there.size_bytes >= 0


@needs_card
@pytest.mark.timeout(300)
def test_without_graphs_the_card_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no graphs here")

    asked = rows(700)
    recorded = on_card(tmp_path, "mlp", block=None).run(asked).columns
    monkeypatch.setattr(torch.cuda, "graph", broken)
    plain = on_card(tmp_path, "mlp", block=None).run(asked).columns
    np.testing.assert_allclose(plain, recorded, rtol=1e-4, atol=1e-5)
    assert "without being recorded: RuntimeError: no graphs here" in caplog.text


@needs_card
@pytest.mark.timeout(300)
def test_the_card_computes_in_bfloat16_where_it_stays_close(tmp_path: Path) -> None:
    asked = rows(1_000)
    exact = load(tmp_path, "mlp", block=64).run(asked).columns
    found = on_card(tmp_path, "mlp", block=None, precision="bfloat16").run(asked).columns
    assert exact is not None
    assert np.abs(found - exact).max() <= 2 * card.NARROW * exact.std(axis=0).max()
