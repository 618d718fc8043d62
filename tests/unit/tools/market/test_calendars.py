"""Sessions, half days, lunch breaks and closing times, and what they do to bars."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.market.bars import Bars
from tools.market.calendars import calendar_for, calendar_name, closing_times, named, names


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_calendars_that_are_promised_are_there() -> None:
    promised = {"XNYS", "XNAS", "XLON", "XTKS", "XHKG", "XSHG", "XPHS", "24/7", "24/5"}
    assert set(names()) == promised


@pytest.mark.parametrize(
    ("exchange", "kind", "name"),
    [
        ("NASDAQ", "equity", "XNAS"),
        ("nyse", "equity", "XNYS"),
        ("LSE", "equity", "XLON"),
        ("XSHE", "equity", "XSHG"),
        (None, "crypto", "24/7"),
        (None, "fx", "24/5"),
        (None, "equity", None),
        ("Nowhere", "equity", None),
    ],
)
def test_an_instruments_calendar_follows_from_exchange_or_kind(
    exchange: str | None, kind: str, name: str | None
) -> None:
    assert calendar_name(exchange, kind) == name


def test_holidays_half_days_and_summer_time() -> None:
    new_york = named("XNYS")
    assert not len(new_york.sessions(date(2024, 7, 4), date(2024, 7, 4)))
    half = new_york.session(date(2024, 7, 3))
    assert half is not None
    assert (half.opens, half.closes) == (at("2024-07-03T13:30"), at("2024-07-03T17:00"))
    winter = new_york.session(date(2024, 1, 3))
    assert winter is not None
    assert winter.closes == at("2024-01-03T21:00")
    assert new_york.session(date(2024, 7, 4)) is None


def test_a_lunch_break_makes_two_parts() -> None:
    session = named("XTKS").session(date(2023, 6, 1))
    assert session is not None
    assert [(str(a)[11:16], str(b)[11:16]) for a, b in session.parts] == [
        ("00:00", "02:30"),
        ("03:30", "06:00"),
    ]


def test_sessions_are_counted_over_holidays() -> None:
    new_york = named("XNYS")
    # Independence Day and a weekend lie between.
    assert new_york.sessions_after(date(2024, 7, 3), 2) == date(2024, 7, 8)
    assert new_york.sessions_after(date(2024, 7, 4), 1) == date(2024, 7, 5)
    assert new_york.sessions_after(date(2024, 7, 4), 0) == date(2024, 7, 4)
    golden_week = named("XSHG").sessions_after(date(2023, 9, 28), 1)
    assert golden_week == date(2023, 10, 9)
    assert named("24/7").sessions_after(date(2024, 12, 30), 5) == date(2025, 1, 4)
    with pytest.raises(ValueError, match="0 or more"):
        new_york.sessions_after(date(2024, 7, 3), -1)


def test_beyond_the_file_weekdays_count_and_it_is_said() -> None:
    new_york = named("XNYS")
    far = date(2031, 7, 4)
    assert len(new_york.sessions(far, far)) == 1
    assert not new_york.knows(far)
    assert new_york.session(far) is None
    assert new_york.sessions_after(date(2031, 7, 3), 1) == far
    nobody = calendar_for(None)
    assert nobody.name == "weekdays"
    assert not nobody.knows(date(2024, 7, 4))
    assert nobody.sessions_after(date(2024, 7, 5), 1) == date(2024, 7, 8)


def daily(day: str, calendar: str | None) -> Bars:
    bars = made_up([10.0])
    return Bars(
        **{**vars(bars), "timestamps": np.array([day], "datetime64[s]"), "calendar": calendar}
    )


@pytest.mark.parametrize(
    ("calendar", "day", "closes"),
    [
        (None, "2024-07-03", "2024-07-04T00:00"),
        ("XNYS", "2024-07-03", "2024-07-03T17:00"),
        ("XNYS", "2024-07-02", "2024-07-02T20:00"),
        ("XNYS", "2024-07-04", "2024-07-05T00:00"),
        ("XNYS", "2031-07-02", "2031-07-03T00:00"),
        ("XTKS", "2023-06-01", "2023-06-01T06:00"),
        ("24/7", "2024-07-04", "2024-07-05T00:00"),
    ],
)
def test_a_daily_bar_closes_with_its_exchange_or_with_its_day(
    calendar: str | None, day: str, closes: str
) -> None:
    bar = daily(day, calendar)
    assert bar.ends()[0] == np.datetime64(closes, "s")
    end = at(closes)
    assert len(bar.closed_by(end)) == 1
    assert len(bar.closed_by(datetime.fromtimestamp(end.timestamp() - 1, UTC))) == 0


@pytest.mark.parametrize(
    ("timeframe", "calendar", "opened", "closes"),
    [
        ("1w", "XNYS", "2024-07-01", "2024-07-05T20:00"),
        ("1w", None, "2024-07-01", "2024-07-08T00:00"),
        ("1mo", "XNYS", "2024-08-01", "2024-08-30T20:00"),
        ("1mo", None, "2024-02-01", "2024-03-01T00:00"),
        ("1mo", None, "2024-12-01", "2025-01-01T00:00"),
        ("1h", "XNYS", "2024-07-03T13:30", "2024-07-03T14:30"),
    ],
)
def test_longer_bars_close_with_the_last_session_in_them(
    timeframe: str, calendar: str | None, opened: str, closes: str
) -> None:
    found = closing_times(np.array([opened], "datetime64[s]"), timeframe, calendar=calendar)
    assert found[0] == np.datetime64(closes, "s")
