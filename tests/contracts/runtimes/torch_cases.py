"""A quantile network trained by PyTorch, saved as safetensors."""

from pathlib import Path

import numpy as np
import pytest

from inference.requests import Floats, Rows
from tests.contracts.runtimes.cases import NAMES, Case, Maker, member, training

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def quantile_net(folder: Path) -> Case:
    """Monotone quantiles of the log variance, by pinball loss."""
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    rising = pytest.importorskip("inference.runtimes.pytorch_net").rising
    x, y = training()
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.GELU("tanh"), torch.nn.Linear(16, 5))
    given = torch.from_numpy(x.astype(np.float32))
    target = torch.from_numpy(np.log(y).astype(np.float32))[:, None]
    levels = torch.tensor(LEVELS)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        error = target - rising(net(given), 2)
        torch.maximum(levels * error, (levels - 1) * error).mean().backward()
        optimizer.step()
    tensors = {
        f"layers.{layer}.{kind}": getattr(net[place], kind).detach()
        for layer, place in enumerate((0, 2))
        for kind in ("weight", "bias")
    }
    save_file(tensors, folder / "quantiles.safetensors")

    def expected(rows: Rows) -> Floats:
        with torch.inference_mode():
            values = rising(net(torch.from_numpy(rows.numbers.astype(np.float32))), 2)
        return np.asarray(values.numpy(), dtype=np.float64)

    return Case(
        member(
            "pytorch", "quantiles.safetensors", architecture="monotone_quantiles", columns=NAMES,
            options={"inputs": 4, "hidden": [16], "outputs": 5, "anchor": 2, "activation": "gelu"},
        ),
        expected,
        hidden="torch",
        extra="torch",
    )  # fmt: skip


TORCH: dict[str, Maker] = {"pytorch": quantile_net}
