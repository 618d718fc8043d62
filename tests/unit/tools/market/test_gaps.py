"""Missing bars are counted against the calendar and never made up."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.tools.market.test_resample import minutes
from tests.unit.tools.samples import made_up
from tools.market import gaps
from tools.market.bars import Bars
from tools.market.gaps import TooLong, report


def without(bars: Bars, *positions: int) -> Bars:
    which = np.ones(len(bars), dtype=bool)
    which[list(positions)] = False
    return bars.pick(which)


def test_a_history_that_follows_its_exchange_has_no_gap(shipped: dict[str, Bars]) -> None:
    google = replace(shipped["GOOG"], calendar="XNAS")
    found = report(google)
    assert (found.missing, found.unexpected, found.gaps) == (0, 0, [])
    assert found.expected == found.stored == 2148
    assert found.guessed_from is None


def test_without_a_calendar_holidays_look_like_gaps_and_it_says_so(
    shipped: dict[str, Bars],
) -> None:
    found = report(shipped["GOOG"])
    assert found.calendar == "weekdays"
    assert found.missing > 70
    assert found.guessed_from == shipped["GOOG"].day(0)


def test_days_that_are_missing_are_told_as_one_gap(shipped: dict[str, Bars]) -> None:
    google = replace(shipped["GOOG"], calendar="XNAS")
    found = report(without(google, 100, 101, 102, 500))
    assert found.missing == 4
    assert [(gap.bars, gap.first, gap.last) for gap in found.gaps] == [
        (3, google.time(100), google.time(102)),
        (1, google.time(500), google.time(500)),
    ]


def test_minutes_are_missing_inside_sessions_only() -> None:
    bars = minutes("2024-07-02", "2024-07-06")
    assert report(bars).missing == 0, "nights, a half day and a holiday are no gaps"
    found = report(without(bars, *range(10, 20)))
    assert (found.missing, len(found.gaps)) == (10, 1)


def test_a_bar_outside_every_session_is_told() -> None:
    bars = replace(made_up([1.0] * 5), calendar="XNYS")
    found = report(bars)  # made_up begins on New Year's Day
    assert found.unexpected == 1


def test_weeks_and_months_go_on_as_they_began() -> None:
    days = minutes("2024-01-01", "2024-12-30", timeframe="1d")
    months = replace(
        days.slice(0, 12),
        timeframe="1mo",
        timestamps=np.arange("2024-01", "2025-01", dtype="datetime64[M]").astype("datetime64[s]"),
    )
    assert report(months).missing == 0
    assert report(without(months, 5)).gaps[0].bars == 1
    weeks = replace(
        days.slice(0, 40),
        timeframe="1w",
        timestamps=np.datetime64("2024-01-01", "s") + 7 * 86_400 * np.arange(40),
    )
    assert report(without(weeks, 3, 4)).missing == 2


def test_too_long_a_span_is_refused_and_many_gaps_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = minutes("2024-07-02", "2024-07-06")
    holes = without(bars, *range(1, len(bars) - 1, 2))
    monkeypatch.setattr(gaps, "MOST_SHOWN", 7)
    found = report(holes)
    assert len(found.gaps) == 7
    assert "only the first 7" in found.notes[0]
    monkeypatch.setattr(gaps, "MOST_EXPECTED", 100)
    with pytest.raises(TooLong):
        report(bars)


def test_no_bars_have_no_gaps() -> None:
    found = report(made_up([]))
    assert (found.expected, found.notes) == (0, ["there are no bars"])
