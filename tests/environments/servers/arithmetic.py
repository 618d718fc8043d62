"""What the small models of every product compute. Read by their servers and by the tests.

Needs numpy alone, and runs in each product's own environment.
"""

import time
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

COLUMNS = ("x", "y")
MIXED = {"count": "INT64", "flag": "BOOL", "small": "FP32", "price": "FP64", "word": "BYTES"}
"""Column -> its datatype, of the model that takes a tensor a column."""
WIDE = 64
"""Columns of `wide`, which is `sum` with more of them."""
VERSIONS = {"1": 1.0, "2": 10.0}
"""Version -> what it multiplies the sum with."""


class Unable(RuntimeError):
    """What the broken model raises."""


def total(matrix: Any) -> Floats:
    """`sum`: the sum of each row."""
    summed: Floats = np.asarray(matrix, dtype=np.float64).sum(axis=1)
    return summed


def versioned(matrix: Any, version: str) -> Floats:
    """`versioned`: the sum of each row, times something that each version has of its own."""
    return VERSIONS[version] * total(matrix)


def ends(matrix: Any) -> tuple[Floats, Floats]:
    """`range`: the least and the greatest of each row, as two outputs `low` and `high`."""
    rows = np.asarray(matrix, dtype=np.float64)
    return rows.min(axis=1), rows.max(axis=1)


def mixed(count: Any, flag: Any, small: Any, price: Any, words: list[str]) -> Floats:
    """`mixed`: everything added up; of a word its length."""
    lengths = [len(word) for word in words]
    summed: Floats = np.sum([count, flag, small, price, lengths], axis=0, dtype=np.float64)
    return summed


def slow(matrix: Any) -> Floats:
    """`slow`: the sum of each row, after as many seconds as the first number says."""
    rows = np.asarray(matrix, dtype=np.float64)
    time.sleep(float(rows[0, 0]))
    return total(rows)


def broken() -> Floats:
    """`broken`: nothing, ever."""
    raise Unable("this model cannot add")


def linear_data() -> tuple[Floats, Floats]:
    """Return rows and results from which a linear model is fitted: 2x - 3y + 0.5."""
    rows = np.random.default_rng(4).normal(size=(64, 2))
    return rows, rows @ np.array([2.0, -3.0]) + 0.5
