"""Feature views: named, versioned ways to make model inputs out of prices.

A view computes whole columns at once. The value at a bar reads nothing after that bar, which the
truncation test proves for every view in `VIEWS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inference.bundle import InputColumn
from inference.panel import Panel, Times
from inference.requests import Floats


@dataclass(frozen=True, eq=False)
class Table:
    """The features of one instrument: one row per bar."""

    times: Times
    columns: Mapping[str, Floats]
    """Name -> one number per bar; NaN while there is too little history."""


@dataclass(frozen=True)
class FeatureView:
    """One view."""

    name: str
    version: int
    columns: tuple[InputColumn, ...]
    history_bars: int
    """With so many bars before it, a bar's features are those of the whole history to 1e-6."""
    compute: Callable[[Panel], Mapping[str, Table]]
    """Symbol -> its table."""
    description: str

    @property
    def key(self) -> str:
        """What bundles call it: "market.volatility@1"."""
        return f"{self.name}@{self.version}"
