"""A small network whose quantiles cannot cross, trained in PyTorch: an extra, imported when used.

The architecture is `monotone_quantiles` of the runtimes, so the weights run with numpy too.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from safetensors.numpy import save

from inference.requests import Floats
from inference.training.models.torch_here import one_thread, require_torch

ACTIVATION = "tanh"
_BATCH = 512
_RATE = 2e-3
_DECAY = 1e-3


@dataclass(frozen=True, eq=False)
class QuantileNet:
    """Trained weights, and how its columns are prepared."""

    tensors: dict[str, np.ndarray]
    means: Floats
    deviations: Floats
    scale: float
    """What its outputs are multiplied with: the deviation of the outcomes in training."""
    hidden: tuple[int, ...]
    levels: int

    @property
    def anchor(self) -> int:
        """The quantile from which the others are built: the middle one."""
        return self.levels // 2

    def __call__(self, rows: Floats) -> Floats:
        """Return the quantiles, computed in float64."""
        values = (rows - self.means) / self.deviations
        last = len(self.hidden)
        for index in range(last + 1):
            weight = self.tensors[f"layers.{index}.weight"].astype(np.float64)
            values = values @ weight.T + self.tensors[f"layers.{index}.bias"]
            if index < last:
                values = np.tanh(values)
        steps = np.logaddexp(values, 0.0)
        steps[:, self.anchor] = 0.0
        rise = np.cumsum(steps, axis=1)
        above = rise - rise[:, [self.anchor]]
        below = np.zeros_like(values)
        for index in range(self.anchor - 1, -1, -1):
            below[:, index] = below[:, index + 1] - steps[:, index]
        moved = np.where(np.arange(self.levels) > self.anchor, above, below)
        return np.asarray(self.scale * (values[:, [self.anchor]] + moved), dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the weights as safetensors."""
        packed: bytes = save({name: np.ascontiguousarray(w) for name, w in self.tensors.items()})
        return packed


def fit_quantile_net(
    rows: Floats,
    outcomes: Floats,
    levels: tuple[float, ...],
    *,
    hidden: tuple[int, ...],
    epochs: int,
    seed: int,
) -> QuantileNet:
    """Train by pinball loss. The same seed gives the same weights on the same machine."""
    torch = require_torch()
    with one_thread(torch):
        return _fit(torch, rows, outcomes, levels, hidden=hidden, epochs=epochs, seed=seed)


def _fit(
    torch: Any,
    rows: Floats,
    outcomes: Floats,
    levels: tuple[float, ...],
    *,
    hidden: tuple[int, ...],
    epochs: int,
    seed: int,
) -> QuantileNet:
    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    deviations = np.where(deviations > 1e-12, deviations, 1.0)
    scale = float(outcomes.std())
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.tensor((rows - means) / deviations, dtype=torch.float32)
    targets = torch.tensor(outcomes / scale, dtype=torch.float32)[:, None]
    shares = torch.tensor(levels, dtype=torch.float32)
    sizes = (rows.shape[1], *hidden, len(levels))
    layers = []
    for into, out in pairwise(sizes):
        weight = torch.randn(out, into, generator=generator) / into**0.5
        layers.append((weight.requires_grad_(), torch.zeros(out, requires_grad=True)))
    with torch.no_grad():
        layers[-1][0].mul_(0.1)
    anchor = len(levels) // 2
    parameters = [tensor for layer in layers for tensor in layer]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=_DECAY)
    steps = epochs * -(-len(rows) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def quantiles(values: Any) -> Any:
        for weight, bias in layers[:-1]:
            values = torch.tanh(values @ weight.T + bias)
        weight, bias = layers[-1]
        raw = values @ weight.T + bias
        middle, rise = raw[:, [anchor]], torch.nn.functional.softplus(raw)
        above = middle + torch.cumsum(rise[:, anchor + 1 :], dim=1)
        below = middle - torch.cumsum(rise[:, :anchor].flip(1), dim=1).flip(1)
        return torch.cat([below, middle, above], dim=1)

    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            miss = targets[batch] - quantiles(inputs[batch])
            loss = torch.maximum(shares * miss, (shares - 1.0) * miss).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    tensors = {}
    for index, (weight, bias) in enumerate(layers):
        tensors[f"layers.{index}.weight"] = weight.detach().numpy().copy()
        tensors[f"layers.{index}.bias"] = bias.detach().numpy().copy()
    return QuantileNet(tensors, means, deviations, scale, hidden, len(levels))
