"""Fill weights and rows up to round sizes, so that the place of a row in a block changes no bit.

Matrix libraries compute a block in tiles and treat what is left over at its edges by other code,
which rounds otherwise. With inner sizes that are multiples of 16 nothing is left over (measured
with OpenBLAS and MKL; the contract tests hold every machine to it). The zeros that are added change
no result: every activation here gives 0 for 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.requests import Floats
from inference.runtimes.architectures import Architecture, GruQuantiles, layer_names
from inference.runtimes.weights import Tensor

STEP = 16


@dataclass(frozen=True, eq=False)
class Padded:
    """The weights of a network, filled up; views of the mapped file where nothing was missing."""

    layers: tuple[tuple[Tensor, Tensor], ...]
    """Weight and bias of each linear layer."""
    recurrent: tuple[Tensor, ...] = ()
    """Of a GRU: input weight, state weight, input bias, state bias."""

    @property
    def size_bytes(self) -> int:
        """How much memory they take."""
        pairs = (tensor for layer in self.layers for tensor in layer)
        return sum(tensor.nbytes for tensor in (*pairs, *self.recurrent))


def round_up(count: int) -> int:
    """Return the next multiple of `STEP`."""
    return -(-count // STEP) * STEP


def pad_weights(architecture: Architecture, tensors: Mapping[str, Tensor]) -> Padded:
    """Return the weights, checked already, with all sizes rounded up."""
    layers = []
    for prefix in layer_names(architecture):
        weight, bias = tensors[f"{prefix}weight"], tensors[f"{prefix}bias"]
        outputs, inputs = (round_up(size) for size in weight.shape)
        layers.append((_filled(weight, outputs, inputs), _filled(bias, outputs)))
    if not isinstance(architecture, GruQuantiles):
        return Padded(tuple(layers))
    units, channels = round_up(architecture.units), round_up(architecture.channels)
    return Padded(
        tuple(layers),
        (
            _gates(tensors["gru.weight_ih_l0"], units, channels),
            _gates(tensors["gru.weight_hh_l0"], units, units),
            _gates(tensors["gru.bias_ih_l0"], units),
            _gates(tensors["gru.bias_hh_l0"], units),
        ),
    )


def pad_rows(matrix: Floats, architecture: Architecture, *, block: int, kind: Any) -> Tensor:
    """Return the rows as (blocks, block, inputs); of a GRU as (blocks, block, bars, channels).

    Rows that are missing in the last block are zeros.
    """
    blocks = -(-len(matrix) // block)
    if isinstance(architecture, GruQuantiles):
        window, channels = architecture.window, architecture.channels
        bars = np.zeros((blocks * block, window, round_up(channels)), dtype=kind)
        bars[: len(matrix), :, :channels] = matrix.reshape(-1, window, channels)
        return bars.reshape(blocks, block, window, -1)
    padded = np.zeros((blocks * block, round_up(architecture.inputs)), dtype=kind)
    padded[: len(matrix), : architecture.inputs] = matrix
    return padded.reshape(blocks, block, -1)


def _filled(array: Tensor, *shape: int) -> Tensor:
    if array.shape == shape:
        return array
    filled = np.zeros(shape, dtype=array.dtype)
    filled[tuple(slice(0, size) for size in array.shape)] = array
    return filled


def _gates(array: Tensor, units: int, *rest: int) -> Tensor:
    """Fill up each of a GRU's three gates."""
    three = array.reshape(3, -1, *array.shape[1:])
    return _filled(three, 3, units, *rest).reshape(3 * units, *rest)
