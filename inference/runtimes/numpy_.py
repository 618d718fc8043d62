"""Evaluate declared architectures with numpy alone: no framework, one file of weights.

A row's answer does not depend on the rows beside it, to the last bit: rows are computed in blocks
of fixed size, filled up with zeros, so that the matrix product always takes the same path.
"""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from inference.bundle import Member
from inference.requests import Rows
from inference.runtimes.architectures import (
    MEANS,
    Activation,
    Architecture,
    Linear,
    MonotoneQuantiles,
    declared_architecture,
    layer_names,
    optional_tensor_shapes,
    tensor_shapes,
)
from inference.runtimes.columns import member_columns, numbers
from inference.runtimes.files import member_file
from inference.runtimes.runtime import Loaded, Outputs
from inference.runtimes.weights import Tensor, check_shapes, read_weights

BLOCK = 32
"""Rows of a block. One row costs about 40 us in a 64-256-1 net; a full block costs no more."""


class NumpyRuntime:
    """Runs `linear`, `mlp` and `monotone_quantiles`. It computes on the CPU whatever the device."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Map the weights and hold them to the declared architecture."""
        architecture = declared_architecture(member)
        path = member_file(folder, member)
        tensors = read_weights(path)
        optional = optional_tensor_shapes(architecture)
        check_shapes(path.name, tensors, tensor_shapes(architecture), optional=optional)
        return NumpyNet(member, architecture, tensors)


class NumpyNet:
    """One network. Its weights stay in the mapped file."""

    def __init__(
        self, member: Member, architecture: Architecture, tensors: dict[str, Tensor]
    ) -> None:
        self._member = member
        self._architecture = architecture
        self._layers = [
            (tensors[f"{prefix}weight"], tensors[f"{prefix}bias"])
            for prefix in layer_names(architecture)
        ]
        self._means = tensors.get(MEANS)
        self._type = np.result_type(*(weight for weight, _ in self._layers))
        self._size = sum(tensor.nbytes for tensor in tensors.values())

    @property
    def size_bytes(self) -> int:
        """The size of its weights."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the outputs, and for `linear` what each column contributed to the first."""
        matrix = numbers(rows, self._member, inputs=self._architecture.inputs)
        outputs = self._forward(matrix).astype(np.float64)
        if not explain or not isinstance(self._architecture, Linear):
            return Outputs(columns=outputs)
        weight = self._layers[0][0][0].astype(np.float64)
        means = 0.0 if self._means is None else self._means.astype(np.float64)
        return Outputs(
            columns=outputs,
            contributions=(matrix - means) * weight,
            contribution_names=member_columns(rows, self._member),
        )

    def close(self) -> None:
        """Let go of the mapped file."""
        self._layers = []
        self._means = None

    def _forward(self, matrix: Tensor) -> Tensor:
        count = len(matrix)
        blocks = -(-count // BLOCK)
        padded = np.zeros((blocks * BLOCK, matrix.shape[1]), dtype=self._type)
        padded[:count] = matrix
        values = padded.reshape(blocks, BLOCK, -1)
        last = len(self._layers) - 1
        for index, (weight, bias) in enumerate(self._layers):
            values = np.matmul(values, weight.T) + bias
            if index < last:
                values = _activate(values, self._architecture)
        if isinstance(self._architecture, MonotoneQuantiles):
            values = rising(values, self._architecture.anchor)
        return values.reshape(blocks * BLOCK, -1)[:count]


def _activate(values: Tensor, architecture: Architecture) -> Tensor:
    name: Activation = "relu" if isinstance(architecture, Linear) else architecture.activation
    if name == "relu":
        return np.maximum(values, 0.0)
    if name == "tanh":
        return np.tanh(values)
    inner = math.sqrt(2.0 / math.pi) * (values + 0.044715 * values * values * values)
    gated: Tensor = 0.5 * values * (1.0 + np.tanh(inner))
    return gated


def rising(raw: Tensor, anchor: int) -> Tensor:
    """Return raw outputs (last axis) as values that rise from left to right."""
    raw = raw.astype(np.float64)  # a small step onto a large value must not vanish
    steps = np.logaddexp(raw, 0.0)
    values = np.empty_like(raw)
    values[..., anchor] = raw[..., anchor]
    for before, here in pairwise(range(anchor, raw.shape[-1])):
        values[..., here] = values[..., before] + steps[..., here]
    for after, here in pairwise(range(anchor, -1, -1)):
        values[..., here] = values[..., after] - steps[..., here]
    return values
