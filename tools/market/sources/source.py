"""What a source of bars is: it hands out rows by symbol and tells which it could not read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.market.checks import Rows


class SourceError(Exception):
    """A source as a whole cannot be used; the message is for a person and says what is allowed."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of one symbol, in the order of the source."""

    symbol: str
    rows: Rows
    numbers: NDArray[np.int64]
    """Which row of the source each is, from 1: a file's first line under its heading is 1."""


class BarSource(Protocol):
    """Reads bars from somewhere else."""

    @property
    def label(self) -> str:
        """Return what to call it in a report: a file's name, a vendor."""
        ...

    def chunks(self) -> AsyncIterator[Chunk]:
        """Read everything, some rows of one symbol at a time.

        Raises:
            SourceError: it cannot be reached or understood.
        """
        ...

    def row_count(self) -> int | None:
        """Return how many rows `chunks` will bring in all, once that is known."""
        ...
