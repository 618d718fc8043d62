"""The shipped calendars are those of the library they were made from, day by day."""

from datetime import date

import numpy as np
import pytest

from tests.golden.make_calendars import NAMES, sessions_of
from tools.market.calendars import named


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_every_session_and_its_hours_are_the_librarys(name: str) -> None:
    shipped = named(name)
    library = sessions_of(name)
    # The library may know more by now; what is shipped must be right.
    assert shipped.first is not None
    assert shipped.last is not None
    expected = {
        day: parts
        for day, parts in library.items()
        if shipped.first <= date.fromisoformat(day) <= shipped.last
    }
    assert [str(day) for day in shipped.days] == list(expected)
    assert list(shipped.hours) == list(expected.values())
    assert len(np.unique(shipped.days)) == len(expected) > 8_000 / 2
