"""Stretches of time as people name them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llms.builtin.periods import Period, find_period


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("over the last year", Period(preset="1y")),
        ("last 3 months", Period(preset="3m")),
        ("over 3 years", Period(preset="3y")),
        ("in the past five years", Period(preset="5y")),
        ("past decade", Period(preset="10y")),
        ("half a year", Period(preset="6m")),
        ("year to date", Period(preset="ytd")),
        ("this year", Period(preset="ytd")),
        ("last week", Period(preset="1w")),
        ("since last month", Period(preset="1m")),
        ("a year ago", Period(preset="1y")),
        ("52 weeks", Period(preset="1y")),
        ("GOOG 5y", Period(preset="5y")),
        ("all-time", Period(preset="max")),
        ("since the beginning", Period(preset="max")),
        ("last 45 days", Period(days=45)),
        ("the past two weeks", Period(days=14)),
        ("18 months", Period(days=548)),
        ("since March 2012", Period(start=date(2012, 3, 1))),
        ("since 2010", Period(start=date(2010, 1, 1))),
        ("since 3 May 2010", Period(start=date(2010, 5, 3))),
        ("from 2010-05-03", Period(start=date(2010, 5, 3))),
        ("in 2008", Period(start=date(2008, 1, 1), end=date(2008, 12, 31))),
        ("in February 2008", Period(start=date(2008, 2, 1), end=date(2008, 2, 29))),
        ("Q3 2010", Period(start=date(2010, 7, 1), end=date(2010, 9, 30))),
        ("2007-2009", Period(start=date(2007, 1, 1), end=date(2009, 12, 31))),
        ("between 2007 and 2009", Period(start=date(2007, 1, 1), end=date(2009, 12, 31))),
        ("from May 2007 to 3 June 2009", Period(start=date(2007, 5, 1), end=date(2009, 6, 3))),
        ("on 2012-05-18", Period(on=date(2012, 5, 18))),
        ("18th of May, 2012", Period(on=date(2012, 5, 18))),
        ("May 18, 2012", Period(on=date(2012, 5, 18))),
        ("as of May 2010", Period(on=date(2010, 5, 31))),
        ("at the end of 2008", Period(on=date(2008, 12, 31))),
    ],
)  # fmt: skip
def test_a_time_is_read(said: str, expected: Period) -> None:
    period, masked = find_period(f"How did GOOG do {said}?")
    assert period is not None
    assert Period(period.preset, period.start, period.end, period.on, period.days) == expected
    assert "PERIOD" in masked


@pytest.mark.parametrize(
    "said",
    ["the 50-day average", "rising 2 a day", "RSI 14", "GOOG and IBM", "the last bar",
     "31 February 2010", "2010-02-31", "S&P 500", "at 1999.50", "$2000", "May I ask?",
     "a day in the life"],
)  # fmt: skip
def test_what_is_no_time_is_left_alone(said: str) -> None:
    assert find_period(said) == (None, said)


@given(st.text(alphabet="0123456789 -/,.abdefilmnorstuyMJQ", max_size=120))
def test_no_text_is_too_odd(text: str) -> None:
    period, masked = find_period(text)
    assert (period is None) == (masked == text)
