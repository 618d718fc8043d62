"""One network on one device. Only `pytorch.py` imports this, once it has found torch."""

import logging
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from inference.bundle import Member
from inference.errors import Overloaded
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
from inference.runtimes.options import exact_float32
from inference.runtimes.padding import Padded, pad_rows, pad_weights
from inference.runtimes.runtime import Outputs
from inference.runtimes.torch_card import (
    Run,
    block_sizes,
    cuda_tools,
    narrowed,
    pieces,
    prepare,
    row_bytes,
)
from inference.runtimes.weights import Tensor

CPU_BLOCK = 64
CUDA_BLOCK = 4096
_log = logging.getLogger(__name__)


class TorchNet:
    """Runs rows in blocks: of one size on the CPU, of a few on a card, a CUDA graph for each."""

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
        weights = pad_weights(architecture, tensors)
        net = Net(architecture, weights, scores=tensors.get(SCORES))
        linear = isinstance(architecture, Linear)
        self._weight = tensors["weight"][0].astype(np.float64) if linear else None
        self._means = tensors[MEANS].astype(np.float64) if MEANS in tensors else 0.0
        self._size = weights.size_bytes
        self._on_card = self._device.type == "cuda"
        self._runs: dict[int, Run] = {architecture.block or CPU_BLOCK: net.eval()}
        if self._on_card:
            exact_float32(torch)
            before = torch.cuda.memory_reserved(self._device)
            with torch.inference_mode(), torch.cuda.device(self._device):
                self._runs = self._fast(net.to(self._device).eval())
            held = torch.cuda.memory_reserved(self._device) - before
            self._size = max(self._size, held)

    @property
    def size_bytes(self) -> int:
        """The size of its weights; on a card that of its graphs too."""
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
        """Let go of the network, and of its graphs."""
        self._runs = {}
        if self._on_card:
            torch.cuda.empty_cache()

    def _fast(self, net: Any) -> dict[int, Run]:
        """Return the network for each size of block on the card."""
        shape, name = self._architecture, self._member.name
        free, _ = torch.cuda.mem_get_info(self._device)
        sizes = block_sizes(shape.block or CUDA_BLOCK, row_bytes=_row_bytes(shape), free_bytes=free)
        dice = np.random.default_rng(0)
        # Columns that are standardised, as most nets read them, and some that are far out.
        examples = {
            size: self._blocks(dice.normal(0.0, 1.5, (size, shape.inputs)), size)[0].to(
                self._device
            )
            for size in sizes
        }
        if shape.precision == "bfloat16":
            usable = torch.cuda.is_bf16_supported(including_emulation=False)
            net = narrowed(net, examples[sizes[-1]], name=name, usable=usable)
        return prepare(net, examples, cuda_tools(self._device), name=name)

    def _forward(self, matrix: Floats) -> Floats:
        found = torch.empty(len(matrix), self._architecture.outputs)
        with torch.inference_mode():
            for start, stop, size in pieces(len(matrix), sorted(self._runs)):
                found[start:stop] = self._piece(matrix[start:stop], size)
        columns: Floats = found.numpy().astype(np.float64)
        return columns

    def _piece(self, matrix: Floats, size: int) -> Any:
        """Return the outputs of rows in blocks of one size."""
        blocks = self._blocks(matrix, size)
        found = torch.empty(*blocks.shape[:2], self._architecture.outputs)
        if not self._on_card:
            for block, place in zip(blocks, found, strict=True):
                place.copy_(self._runs[size](block))
            return found.flatten(0, 1)[: len(matrix)]
        try:
            # Pinned memory is what a copy to or from the device can run beside.
            blocks, found = blocks.pin_memory(), found.pin_memory()
            for block, place in zip(blocks, found, strict=True):
                outputs = self._runs[size](block.to(self._device, non_blocking=True))
                # Copied before the next replay writes over it: one stream keeps the order.
                place.copy_(outputs, non_blocking=True)
            torch.cuda.current_stream(self._device).synchronize()
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        else:
            return found.flatten(0, 1)[: len(matrix)]
        return self._smaller(matrix, size)

    def _smaller(self, matrix: Floats, size: int) -> Any:
        """Go on in smaller blocks: the card's memory is full."""
        smaller = [one for one in self._runs if one < size]
        if not smaller:
            raise Overloaded(f"the card has no memory left for {size} rows of this model")
        _log.warning("the card is full: blocks of model %r get smaller", self._member.name)
        del self._runs[size]
        parts = pieces(len(matrix), sorted(smaller))
        return torch.cat([self._piece(matrix[start:stop], one) for start, stop, one in parts])

    def _blocks(self, matrix: Floats, size: int) -> Any:
        return torch.from_numpy(pad_rows(matrix, self._architecture, block=size, kind=np.float32))


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


def _row_bytes(shape: Architecture) -> int:
    if isinstance(shape, GruQuantiles):
        # Three gates and a state for each bar.
        return row_bytes((shape.inputs, 4 * shape.units * shape.window, shape.outputs))
    hidden = shape.hidden if isinstance(shape, Mlp | MonotoneQuantiles) else ()
    return row_bytes((shape.inputs, *hidden, shape.outputs), times=2)


def _tensor(array: Tensor) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
