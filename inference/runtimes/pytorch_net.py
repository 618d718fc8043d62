"""One network on one device. Only `pytorch.py` imports this, once it has found torch."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from inference.bundle import Member
from inference.requests import Floats, Rows
from inference.runtimes.architectures import (
    MEANS,
    SCORES,
    Architecture,
    GruQuantiles,
    Linear,
    Mlp,
    MonotoneQuantiles,
    ScaledQuantiles,
)
from inference.runtimes.columns import member_columns, numbers
from inference.runtimes.padding import Padded, pad_rows, pad_weights
from inference.runtimes.runtime import Outputs
from inference.runtimes.weights import Tensor

CPU_BLOCK = 64
CUDA_BLOCK = 4096
_WARM_UPS = 3
"""A CUDA graph is recorded at the second call or third."""


class TorchNet:
    """Runs rows in blocks of one size: one path through the libraries, one CUDA graph."""

    def __init__(
        self,
        member: Member,
        architecture: Architecture,
        tensors: Mapping[str, Tensor],
        *,
        device: str,
    ) -> None:
        self._member = member
        self._architecture = architecture
        self._device = torch.device(device)
        on_cuda = self._device.type == "cuda"
        self._block = architecture.block or (CUDA_BLOCK if on_cuda else CPU_BLOCK)
        weights = pad_weights(architecture, tensors)
        net = Net(architecture, weights, scores=tensors.get(SCORES))
        self._net: Any = net.to(self._device).eval()
        linear = isinstance(architecture, Linear)
        self._weight = tensors["weight"][0].astype(np.float64) if linear else None
        self._means = tensors[MEANS].astype(np.float64) if MEANS in tensors else 0.0
        self._size = weights.size_bytes
        if on_cuda:
            self._net = torch.compile(
                self._net, mode="reduce-overhead", fullgraph=True, dynamic=False
            )
            for _ in range(_WARM_UPS):
                self._forward(np.zeros((1, architecture.inputs)))

    @property
    def size_bytes(self) -> int:
        """The size of its weights."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the outputs, and for `linear` what each column contributed to the first."""
        matrix = numbers(rows, self._member, inputs=self._architecture.inputs)
        columns = self._forward(matrix)
        if not explain or self._weight is None:
            return Outputs(columns=columns)
        return Outputs(
            columns=columns,
            contributions=(matrix - self._means) * self._weight,
            contribution_names=member_columns(rows, self._member),
        )

    def close(self) -> None:
        """Let go of the network."""
        self._net = None

    def _forward(self, matrix: Floats) -> Floats:
        blocks = torch.from_numpy(
            pad_rows(matrix, self._architecture, block=self._block, kind=np.float32)
        )
        found = torch.empty(*blocks.shape[:2], self._architecture.outputs)
        if self._device.type == "cuda":
            # Pinned memory is what a copy to or from the device can run beside.
            blocks, found = blocks.pin_memory(), found.pin_memory()
        with torch.inference_mode():
            for block, place in zip(blocks, found, strict=True):
                outputs = self._net(block.to(self._device, non_blocking=True))
                # Copied before the next replay writes over it: one stream keeps the order.
                place.copy_(outputs, non_blocking=True)
            if self._device.type == "cuda":
                torch.cuda.current_stream(self._device).synchronize()
        columns: Floats = found.flatten(0, 1)[: len(matrix)].numpy().astype(np.float64)
        return columns


class Net(torch.nn.Module):  # type: ignore[misc] # torch's types are not read
    """Any of the declared architectures."""

    def __init__(
        self, architecture: Architecture, weights: Padded, *, scores: Tensor | None = None
    ) -> None:
        super().__init__()
        self.architecture = architecture
        if scores is not None:
            self.register_buffer("scores", _tensor(scores))
        self.count = len(weights.layers)
        for index, (weight, bias) in enumerate(weights.layers):
            self.register_buffer(f"weight{index}", _tensor(weight))
            self.register_buffer(f"bias{index}", _tensor(bias))
        if weights.recurrent:
            units, channels = weights.recurrent[1].shape[1], weights.recurrent[0].shape[1]
            self.gru = torch.nn.GRU(channels, units, batch_first=True).requires_grad_(False)
            names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            for name, array in zip(names, weights.recurrent, strict=True):
                getattr(self.gru, name).copy_(_tensor(array))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a block."""
        shape = self.architecture
        if isinstance(shape, GruQuantiles):
            states, _ = self.gru(values)
            values = states[:, -1]
        for index in range(self.count):
            weight, bias = getattr(self, f"weight{index}"), getattr(self, f"bias{index}")
            values = functional.linear(values, weight, bias)
            if index < self.count - 1 and isinstance(shape, Mlp | MonotoneQuantiles):
                values = activate(values, shape.activation)
        if isinstance(shape, ScaledQuantiles):
            return torch.exp(0.5 * values[..., :1]) * self.scores
        values = values[..., : shape.outputs]
        if isinstance(shape, MonotoneQuantiles | GruQuantiles):
            values = rising(values, shape.anchor)
        return values


def activate(values: torch.Tensor, name: str) -> torch.Tensor:
    """Apply an activation of the declared architectures."""
    if name == "relu":
        return functional.relu(values)
    if name == "tanh":
        return torch.tanh(values)
    return functional.gelu(values, approximate="tanh")


def rising(raw: torch.Tensor, anchor: int) -> torch.Tensor:
    """Return raw outputs (last axis) as values that rise; recipes may train through it."""
    steps = functional.softplus(raw)
    columns = [raw[..., anchor]]
    for _, here in pairwise(range(anchor, raw.shape[-1])):
        columns.append(columns[-1] + steps[..., here])
    for _, here in pairwise(range(anchor, -1, -1)):
        columns.insert(0, columns[0] - steps[..., here])
    return torch.stack(columns, dim=-1)


def _tensor(array: Tensor) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
