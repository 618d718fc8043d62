"""A small network whose quantiles cannot cross, trained in PyTorch: an extra, imported when used.

The architecture is `monotone_quantiles` of the runtimes, so the weights run with numpy too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from safetensors.numpy import save

from inference.requests import Floats
from inference.training.parallel.lesson import Array, Batch, Lesson, Weights

ACTIVATION = "tanh"
BATCH = 512
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
    fit: Callable[[Lesson], Weights],
) -> QuantileNet:
    """Train by pinball loss. The same seed gives the same weights on the same machine.

    Args:
        fit: learns the lesson, with one worker or several.
    """
    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    deviations = np.where(deviations > 1e-12, deviations, 1.0)
    scale = float(outcomes.std())
    weights = fit(
        Lesson(
            f"{__name__}:{QuantileStudy.__name__}",
            {"levels": list(levels), "hidden": list(hidden), "epochs": epochs, "seed": seed},
            {
                "rows": ((rows - means) / deviations).astype(np.float32),
                "outcomes": (outcomes / scale).astype(np.float32),
            },
        )
    )
    return QuantileNet(weights, means, deviations, scale, hidden, len(levels))


class QuantileStudy:
    """Implements `inference.training.parallel.lesson.Study`: every case once an epoch."""

    rate, decay, clip = _RATE, _DECAY, None

    def __init__(
        self, torch: Any, settings: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        self._torch = torch
        self._rows, self._outcomes = arrays["rows"], arrays["outcomes"]
        self._levels: list[float] = settings["levels"]
        self._shares = torch.tensor(self._levels, dtype=torch.float32)
        self._hidden: list[int] = settings["hidden"]
        self._generator = torch.Generator().manual_seed(settings["seed"])
        self._drawn = 0
        self.steps_per_epoch = -(-len(self._rows) // BATCH)
        self.steps: int = settings["epochs"] * self.steps_per_epoch

    def net(self) -> Any:
        """Implement `Study`."""
        torch = self._torch
        sizes = (self._rows.shape[1], *self._hidden, len(self._levels))
        layers = torch.nn.ModuleList([torch.nn.Linear(*pair) for pair in pairwise(sizes)])
        with torch.no_grad():
            for layer, (into, out) in zip(layers, pairwise(sizes), strict=True):
                drawn = torch.randn(out, into, generator=self._generator)
                layer.weight.copy_(drawn / into**0.5)
                layer.bias.zero_()
            layers[-1].weight.mul_(0.1)
        return torch.nn.ModuleDict({"layers": layers})

    def epoch(self, index: int) -> Sequence[Batch]:
        """Implement `Study`."""
        while self._drawn <= index:
            order = self._torch.randperm(len(self._rows), generator=self._generator).numpy()
            self._drawn += 1
        return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

    def cases(self, which: Batch) -> tuple[Array, ...]:
        """Implement `Study`."""
        return self._rows[which], self._outcomes[which]

    def losses(self, net: Any, *cases: Any) -> Any:
        """Return the pinball loss of each case, over all quantiles."""
        rows, outcomes = cases
        torch = self._torch
        # Copied once: a card would wait for it at every step.
        shares = self._shares = self._shares.to(rows.device)
        miss = outcomes[:, None] - self._quantiles(net["layers"], rows)
        return torch.maximum(shares * miss, (shares - 1.0) * miss).mean(dim=1)

    def _quantiles(self, layers: Any, values: Any) -> Any:
        torch = self._torch
        for layer in layers[:-1]:
            values = torch.tanh(layer(values))
        raw = layers[-1](values)
        anchor = len(self._levels) // 2
        middle, rise = raw[:, [anchor]], torch.nn.functional.softplus(raw)
        above = middle + torch.cumsum(rise[:, anchor + 1 :], dim=1)
        below = middle - torch.cumsum(rise[:, :anchor].flip(1), dim=1).flip(1)
        return torch.cat([below, middle, above], dim=1)
