"""What rows used of a language model that others run; whoever pays prices it.

Kept by row, so that callers who shared a batch pay for their own rows and for nobody else's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Told: TypeAlias = tuple[int, int, int, int]
"""Tokens of one call: put in, made, read from the provider's cache, written to it. What was read
and written is part of what was put in."""


@dataclass(frozen=True, eq=False)
class Usage:
    """One model's calls, one a row."""

    provider: str
    """The connection that was asked."""
    model: str
    """The provider's name of it."""
    tokens: NDArray[np.float64]
    """Shape (rows, 4), as `Told`; NaN where the provider did not tell."""

    @classmethod
    def of(cls, provider: str, model: str, told: Sequence[Told | None]) -> "Usage":
        """Return what was told of each row; None: it was not told."""
        untold = (np.nan,) * 4
        rows = [untold if one is None else one for one in told]
        return cls(provider, model, np.array(rows, dtype=np.float64).reshape(len(rows), 4))

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self.tokens)

    @property
    def input_tokens(self) -> int:
        """All of them, those read from the provider's cache too."""
        return self._sum(0)

    @property
    def output_tokens(self) -> int:
        """What it made."""
        return self._sum(1)

    @property
    def cached_input_tokens(self) -> int:
        """Those of `input_tokens` that were read from the provider's cache."""
        return self._sum(2)

    @property
    def written_input_tokens(self) -> int:
        """Those of `input_tokens` that were written to the provider's cache."""
        return self._sum(3)

    @property
    def is_complete(self) -> bool:
        """False where an answer did not tell: then the figures are a lower bound."""
        return not np.isnan(self.tokens).any()

    def part(self, start: int, stop: int) -> "Usage":
        """Return what the rows from `start` up to `stop` used."""
        return Usage(self.provider, self.model, self.tokens[start:stop])

    def _sum(self, column: int) -> int:
        return int(np.nansum(self.tokens[:, column]))


def joined(parts: Sequence[Sequence[Usage]]) -> tuple[Usage, ...]:
    """Return what the parts of one call used, below each other; they asked the same models."""
    return tuple(
        Usage(ones[0].provider, ones[0].model, np.concatenate([one.tokens for one in ones]))
        for ones in zip(*parts, strict=True)
    )


def parts_of(usage: Sequence[Usage], start: int, stop: int) -> tuple[Usage, ...]:
    """Return what some rows used, of each model."""
    return tuple(one.part(start, stop) for one in usage)
