"""Part rows by time: training before validation before test, with a gap between them.

Never at random: neighbours in time resemble each other, and a model that saw Tuesday knows about
Wednesday. What a row's target reads after it must not reach into the next part, so that rows
within the embargo before a cut belong to no part.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadInput
from inference.panel import Times

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RowSplits:
    """Which row belongs where; rows of the embargo belong nowhere."""

    train: Mask
    validation: Mask
    test: Mask
    train_until: np.datetime64
    """The newest row of training: nothing later is learned from."""
    validation_until: np.datetime64

    def shares(self) -> dict[str, float]:
        """Return the seed's DatasetSplit: shares of all rows, the embargo's left out."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: float(mask.mean()) for name, mask in parts.items()}


def split_by_time(
    times: Times, shares: tuple[float, float, float], *, embargo: np.timedelta64
) -> RowSplits:
    """Return the parts of rows with these times, in any order.

    What happened at one moment stays together, so the shares are met only about.

    Raises:
        BadInput: the shares are none, the embargo is negative, or a part would be empty.
    """
    if len(shares) != 3 or not all(math.isfinite(s) and s > 0.0 for s in shares):
        raise BadInput(f"shares must be three numbers above 0, not {list(shares)}")
    if abs(sum(shares) - 1.0) > 1e-9:
        raise BadInput(f"shares must add up to 1; {list(shares)} add up to {sum(shares):g}")
    if embargo < np.timedelta64(0, "s"):
        raise BadInput("the embargo must not be negative")
    moments = times.astype("datetime64[s]")
    if np.isnat(moments).any():
        raise BadInput("every row needs a time to be split by time")
    ordered = np.sort(moments)
    count = len(ordered)
    if count < 3:
        raise BadInput(f"{count} rows cannot be parted in three")
    stops = [max(0, round(count * share) - 1) for share in (shares[0], shares[0] + shares[1])]
    first, second = ordered[stops[0]], ordered[stops[1]]
    splits = RowSplits(
        train=moments <= first - embargo,
        validation=(moments > first) & (moments <= second - embargo),
        test=moments > second,
        train_until=first - embargo,
        validation_until=second - embargo,
    )
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    for name, mask in parts.items():
        if not mask.any():
            raise BadInput(f"no row is left for {name}: give it more, or a shorter embargo")
    return splits
