"""Evaluate declared architectures with numpy alone: no framework, one file of weights.

A row's answer does not depend on the rows beside it, to the last bit: rows are computed in blocks
of fixed size, filled up with zeros, so that the matrix product always takes the same path.
Weights whose sizes are multiples of 16 stay in the mapped file.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes import path_sampling
from inference.runtimes.architectures import (
    MEANS,
    SCORES,
    Activation,
    Architecture,
    GruQuantiles,
    Linear,
    Mlp,
    MonotoneQuantiles,
    ScaledQuantiles,
    declared_architecture,
    optional_tensor_shapes,
    tensor_shapes,
)
from inference.runtimes.columns import member_columns, numbers
from inference.runtimes.files import member_file
from inference.runtimes.padding import Padded, pad_rows, pad_weights
from inference.runtimes.runtime import Loaded, Outputs
from inference.runtimes.weights import Tensor, check_shapes, read_weights

BLOCK = 32
"""Rows of a block: one row costs as much as a full one, some ten microseconds in a small net."""
_CACHE_BYTES = 256 * 1024
"""Of what one layer gives, several of which a core's own cache should hold: larger is slower."""


class NumpyRuntime:
    """Runs every declared architecture. It computes on the CPU whatever the device."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Map the weights and hold them to the declared architecture."""
        if member.architecture in path_sampling.ARCHITECTURES:
            return path_sampling.load_paths(folder, member)
        architecture = declared_architecture(member)
        path = member_file(folder, member)
        tensors = read_weights(path)
        optional = optional_tensor_shapes(architecture)
        check_shapes(path.name, tensors, tensor_shapes(architecture), optional=optional)
        return NumpyNet(member, architecture, tensors)


class NumpyNet:
    """One network."""

    def __init__(
        self, member: Member, architecture: Architecture, tensors: dict[str, Tensor]
    ) -> None:
        self._member = member
        self._architecture = architecture
        self._weights: Padded | None = pad_weights(architecture, tensors)
        self._means = tensors[MEANS].astype(np.float64) if MEANS in tensors else 0.0
        linear = isinstance(architecture, Linear)
        self._slope = tensors["weight"][0].astype(np.float64) if linear else None
        self._scores = tensors.get(SCORES)
        self._size = self._weights.size_bytes

    @property
    def size_bytes(self) -> int:
        """The size of its weights."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the outputs, and for `linear` what each column contributed to the first."""
        matrix = numbers(rows, self._member, inputs=self._architecture.inputs)
        outputs = self._forward(matrix).astype(np.float64)
        if not explain or self._slope is None:
            return Outputs(columns=outputs)
        return Outputs(
            columns=outputs,
            contributions=(matrix - self._means) * self._slope,
            contribution_names=member_columns(rows, self._member),
        )

    def close(self) -> None:
        """Let go of the mapped file."""
        self._weights = None

    def _forward(self, matrix: Floats) -> Tensor:
        shape, weights = self._architecture, self._weights
        if weights is None:
            raise ModelFailed(f"model {self._member.name!r} was closed")
        kind = weights.layers[0][0].dtype
        values = pad_rows(matrix, shape, block=shape.block or BLOCK, kind=kind)
        at_once = self._blocks_at_once(values, weights)
        parts = [
            self._through(values[start : start + at_once], weights)
            for start in range(0, len(values), at_once)
        ]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        values = values.reshape(-1, values.shape[-1])[: len(matrix), : shape.outputs]
        if isinstance(shape, ScaledQuantiles):
            return np.asarray(np.exp(0.5 * values[:, :1]) * self._scores)
        if isinstance(shape, MonotoneQuantiles | GruQuantiles):
            values = rising(values, shape.anchor)
        return values

    def _blocks_at_once(self, blocks: Tensor, weights: Padded) -> int:
        """Return how many blocks go through the layers together, so that the cache holds them.

        Blocks do not touch each other: how many go together changes no bit.
        """
        matrices = [weight for weight, _ in weights.layers] + list(weights.recurrent)[:1]
        widest = max(len(matrix) for matrix in matrices)
        return max(1, _CACHE_BYTES // (int(blocks.shape[1]) * widest * int(blocks.itemsize)))

    def _through(self, values: Tensor, weights: Padded) -> Tensor:
        """Return what the last layer gives for some blocks."""
        if isinstance(self._architecture, GruQuantiles):
            values = last_state(values, weights.recurrent)
        last = len(weights.layers) - 1
        for index, (weight, bias) in enumerate(weights.layers):
            values = np.matmul(values, weight.T)
            values += bias
            if index < last:
                values = _activate(values, self._architecture)
        return values


def last_state(bars: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Return the GRU's state after the window: torch's equations and order of gates."""
    into, back, into_bias, back_bias = weights
    units = back.shape[1]
    state = np.zeros((*bars.shape[:2], units), dtype=bars.dtype)
    for bar in range(bars.shape[2]):
        fresh = np.matmul(np.ascontiguousarray(bars[:, :, bar]), into.T) + into_bias
        held = np.matmul(state, back.T) + back_bias
        reset = _sigmoid(fresh[..., :units] + held[..., :units])
        keep = _sigmoid(fresh[..., units : 2 * units] + held[..., units : 2 * units])
        new = np.tanh(fresh[..., 2 * units :] + reset * held[..., 2 * units :])
        state = new + keep * (state - new)
    return state


def _sigmoid(values: Tensor) -> Tensor:
    found: Tensor = 0.5 + 0.5 * np.tanh(0.5 * values)
    return found


def _activate(values: Tensor, architecture: Architecture) -> Tensor:
    name: Activation = "relu"
    if isinstance(architecture, Mlp | MonotoneQuantiles):
        name = architecture.activation
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
