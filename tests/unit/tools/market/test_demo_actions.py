"""What is known to have happened in the demo's years fits the prices that it comes with."""

from fractions import Fraction
from math import prod

import pytest

from tools.market.demo import FETCHED


def test_googles_splits_are_those_that_its_prices_were_divided_by() -> None:
    """Shipped close over fetched close on each of the 41 days that both files have."""
    events = FETCHED.events("GOOG")
    assert [one.ex_date.isoformat() for one in events] == ["2014-03-27", "2015-04-27", "2022-07-18"]
    whole = prod((one.ratio for one in events), start=Fraction(1))
    assert float(whole) == pytest.approx(40.14993, rel=1e-7)
