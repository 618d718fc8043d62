"""Compute rows in blocks of one size, so that a row's answer does not depend on its neighbours.

Matrix libraries choose their path by the shape of the whole batch; the last bits of a row then
depend on how many rows came with it. One shape is one path.
"""

from collections.abc import Callable, Iterator

import numpy as np

from inference.requests import Floats


def blocks_of(matrix: Floats, size: int) -> Iterator[tuple[Floats, int]]:
    """Yield blocks of `size` rows and how many of them are real; 0 means all rows in one.

    The last block is filled up with copies of its last row, which any model can read.
    """
    if not size or not len(matrix):
        yield matrix, len(matrix)
        return
    for start in range(0, len(matrix), size):
        block = matrix[start : start + size]
        real = len(block)
        if real < size:
            block = np.concatenate([block, np.repeat(block[-1:], size - real, axis=0)])
        yield block, real


def in_blocks(matrix: Floats, size: int, compute: Callable[[Floats], Floats]) -> Floats:
    """Return what `compute` gives for all rows, called with blocks of `size` rows each."""
    parts = [compute(block)[:real] for block, real in blocks_of(matrix, size)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
