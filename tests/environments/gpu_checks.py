"""What has to hold on a card, as functions that need no test runner. Each takes the device."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.requests import Floats, Rows
from inference.runtimes.architectures import declared_architecture, tensor_shapes
from inference.runtimes.catalog import runtime_for
from inference.training.models.quantile_net import fit_quantile_net
from inference.training.parallel.lesson import Lesson, Weights
from inference.training.parallel.team import local_team
from tests.benchmarks.results import significant

SHAPES: dict[str, dict[str, Any]] = {
    "linear": {"inputs": 12, "outputs": 2},
    "mlp": {"inputs": 12, "hidden": [96, 48], "outputs": 3, "activation": "gelu"},
    "monotone_quantiles": {
        "inputs": 12, "hidden": [96], "outputs": 7, "anchor": 3, "activation": "tanh",
    },
    "gru_quantiles": {
        "inputs": 240, "window": 60, "channels": 4, "units": 64, "outputs": 7, "anchor": 3,
    },
}  # fmt: skip
CLOSE = 1e-4
"""Largest difference to the processor, relative to the largest output."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class Said(logging.Handler):
    """Keeps what the runtime says when it leaves a fast way out."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(record.getMessage())


def run_net(architecture: str, rows: Rows, device: str, **more: Any) -> tuple[Floats, list[str]]:
    """Return a net's outputs on a device, and what was said while it was loaded and run."""
    member = Member(
        name=architecture, runtime="pytorch", file="net.safetensors", architecture=architecture,
        options={**SHAPES[architecture], **more},
    )  # fmt: skip
    dice = np.random.default_rng(7)
    shapes = tensor_shapes(declared_architecture(member))
    tensors = {name: dice.normal(0, 0.3, shape).astype("f4") for name, shape in shapes.items()}
    said, logger = Said(), logging.getLogger("inference.runtimes")
    logger.addHandler(said)
    try:
        with tempfile.TemporaryDirectory() as folder:
            save_file(tensors, Path(folder) / "net.safetensors")
            loaded = runtime_for("pytorch").load(Path(folder), member, device=device)
            columns = loaded.run(rows).columns
            loaded.close()
    finally:
        logger.removeHandler(said)
    if columns is None:
        raise ValueError(f"{architecture} gave no columns")
    return columns, said.lines


def drawn(architecture: str, count: int) -> Rows:
    """Return rows of standardised columns."""
    inputs = SHAPES[architecture]["inputs"]
    numbers = np.random.default_rng(11).normal(size=(count, inputs))
    return Rows(tuple(f"c{index}" for index in range(inputs)), numbers)


def _same_numbers(device: str) -> dict[str, Any]:
    """Every architecture gives the processor's numbers, in blocks of every size."""
    found: dict[str, Any] = {}
    for architecture in SHAPES:
        rows = drawn(architecture, 4_700)
        exact, _ = run_net(architecture, rows, "cpu")
        ours, said = run_net(architecture, rows, device)
        off = float(np.abs(ours - exact).max() / np.abs(exact).max())
        few, _ = run_net(architecture, Rows(rows.names, rows.numbers[:5]), device)
        off = max(off, float(np.abs(few - exact[:5]).max() / np.abs(exact).max()))
        found[architecture] = {"off": significant(off, 2), "said": said}
        if off > CLOSE:
            raise AssertionError(f"{architecture} is off by {off:.2g}; {CLOSE} is allowed")
    return found


def _recorded(device: str) -> dict[str, Any]:
    """On a card nothing is left out but what the compiler cannot do: a GRU."""
    _, plain = run_net("mlp", drawn("mlp", 64), device)
    _, recurrent = run_net("gru_quantiles", drawn("gru_quantiles", 64), device)
    broken = [line for line in (*plain, *recurrent) if "being recorded" in line]
    if device == "cuda" and (plain or broken):
        raise AssertionError(f"it was left out: {[*plain, *broken]}")
    return {"mlp": plain, "gru": recurrent}


def _narrow(device: str) -> dict[str, Any]:
    """bfloat16 stays close, or is left out with a word."""
    rows = drawn("mlp", 1_000)
    exact, _ = run_net("mlp", rows, "cpu")
    found, said = run_net("mlp", rows, device, precision="bfloat16")
    off = float((np.abs(found - exact) / exact.std(axis=0)).max())
    if off > 0.05:
        raise AssertionError(f"bfloat16 is off by {off:.1%} of what an output varies")
    return {"off": significant(off, 2), "said": said}


def _outcomes(count: int, inputs: int) -> tuple[Floats, Floats]:
    dice = np.random.default_rng(13)
    rows = dice.normal(size=(count, inputs))
    return rows, np.tanh(rows[:, 0]) + np.exp(0.3 * rows[:, 1]) * dice.normal(size=count)


def trained(workers: int, device: str) -> Weights:
    """Return the weights of a quantile net."""
    rows, outcomes = _outcomes(5_000, 11)
    with local_team(workers, device) as team:

        def fit(lesson: Lesson) -> Weights:
            return team.fit(lesson, checkpoint=None, tell=lambda step, steps: None)

        return fit_quantile_net(
            rows, outcomes, LEVELS, hidden=(32, 32), epochs=5, seed=1, fit=fit
        ).tensors


def _training(device: str) -> dict[str, Any]:
    """A net that is trained there has the weights of one that is trained on the processor."""
    here = trained(1, "cpu")
    there = trained(1, device)
    off = max(float(np.abs(there[name] - one).max()) for name, one in here.items())
    if off > 1e-3:
        raise AssertionError(f"weights are off by {off:.2g}")
    return {"off": significant(off, 2)}


def _together(device: str) -> dict[str, Any]:
    """Two workers train the net of one: a card each where there are two, else two processes."""
    where = "cpu"
    if device == "cuda":
        import torch  # noqa: PLC0415 - an extra

        where = "cuda" if torch.cuda.device_count() > 1 else "cpu"
    one = trained(1, where)
    two = trained(2, where)
    off = max(float(np.abs(two[name] - tensor).max()) for name, tensor in one.items())
    if off > 1e-3:
        raise AssertionError(f"weights are off by {off:.2g}")
    return {"off": significant(off, 2), "workers_on": where}


CHECKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "the numbers of the processor": _same_numbers,
    "blocks are recorded": _recorded,
    "bfloat16 stays close": _narrow,
    "training gives the processor's weights": _training,
    "two workers train the net of one": _together,
}
