"""Values that strangers worked out by hand are ours too, where their bars have been fetched."""

import pytest

from tests.golden.published import CACHE, PUBLISHED, differences, read
from tests.unit.tools.samples import as_prices
from tools.analytics.snapshot import FIELDS
from tools.market.demo import read_vendored


@pytest.mark.skipif(not CACHE.exists(), reason="fetch with: python -m tests.golden.published")
def test_every_published_value_is_ours_to_the_last_published_digit() -> None:
    assert differences(read(CACHE)) == []


def test_other_prices_are_told_apart_from_the_published_values() -> None:
    wrong = differences(as_prices(read_vendored()["AAPL"].slice(0, 502)))
    assert PUBLISHED.keys() < FIELDS.keys()
    assert {name for name, *_ in wrong} == PUBLISHED.keys()
    assert len(wrong) == sum(len(values) for values in PUBLISHED.values())
