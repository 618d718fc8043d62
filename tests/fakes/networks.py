"""Networks with weights drawn once, saved as a bundle's files are, and rows to ask them about."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.requests import Rows
from inference.runtimes.architectures import declared_architecture, tensor_shapes
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded

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
