"""Parts follow each other in time and leave the embargo out."""

import numpy as np
import pytest

from inference.datasets.splits import split_by_time
from inference.errors import BadInput

DAYS = np.datetime64("2024-01-01", "s") + np.arange(100) * np.timedelta64(1, "D")
SHARES = (0.6, 0.2, 0.2)


def test_no_row_of_a_part_lies_within_the_embargo_before_the_next() -> None:
    splits = split_by_time(DAYS, SHARES, embargo=np.timedelta64(5, "D"))

    assert DAYS[splits.train].max() + np.timedelta64(5, "D") < DAYS[splits.validation].min()
    assert DAYS[splits.validation].max() + np.timedelta64(5, "D") < DAYS[splits.test].min()
    assert splits.shares() == {"train": 0.55, "validation": 0.15, "test": 0.2}
    assert not (splits.train & splits.test).any()


def test_order_of_the_rows_does_not_matter() -> None:
    order = np.random.default_rng(2).permutation(100)

    plain = split_by_time(DAYS, SHARES, embargo=np.timedelta64(0, "s"))
    mixed = split_by_time(DAYS[order], SHARES, embargo=np.timedelta64(0, "s"))

    assert (mixed.train == plain.train[order]).all()


def test_one_moment_is_never_parted() -> None:
    times = np.repeat(DAYS[:10], 7)

    splits = split_by_time(times, SHARES, embargo=np.timedelta64(0, "s"))

    assert set(times[splits.train]).isdisjoint(times[splits.validation])
    assert set(times[splits.validation]).isdisjoint(times[splits.test])


@pytest.mark.parametrize(
    ("shares", "embargo", "why"),
    [
        ((0.5, 0.2, 0.2), 0, "add up to 1"),
        ((1.2, -0.4, 0.2), 0, "above 0"),
        (SHARES, -1, "not be negative"),
        (SHARES, 90, "no row is left for train"),
    ],
)
def test_what_cannot_be_parted_says_why(
    shares: tuple[float, float, float], embargo: int, why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        split_by_time(DAYS, shares, embargo=np.timedelta64(embargo, "D"))
