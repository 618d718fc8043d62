"""Which bars are missing from a history. They are reported, never made up. Pure."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np

from tools.market.bars import TIMEFRAMES, Bars, Times
from tools.market.calendars import WEEKDAYS, Calendar, named

MOST_EXPECTED = 2_000_000
MOST_SHOWN = 1_000
_DAY = timedelta(days=1)


class Gap(msgspec.Struct, frozen=True, rename="camel"):
    """Bars that are missing one after the other."""

    first: datetime
    """When the first of them would have opened."""
    last: datetime
    bars: int


class GapReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is missing between the first and the last bar there is."""

    symbol: str
    timeframe: str
    calendar: str
    """`weekdays`: no calendar is known for the exchange, so holidays are reported as gaps."""
    first_bar: datetime | None
    last_bar: datetime | None
    expected: int
    """Bars there should be from the first to the last."""
    stored: int
    missing: int
    unexpected: int
    """Stored bars outside every session: half-hour shifts, trading on a holiday."""
    guessed_from: date | None
    """From this day on the calendar is not known, and every weekday counts as a session."""
    gaps: list[Gap]
    """Oldest first, at most a thousand."""
    notes: list[str]


class TooLong(ValueError):
    """More bars are expected than are compared at once."""


def report(bars: Bars) -> GapReport:
    """Compare a history with the sessions of its exchange.

    Raises:
        TooLong: the span has over two million expected bars.
    """
    calendar = named(bars.calendar or WEEKDAYS)
    if not len(bars):
        return GapReport(
            symbol=bars.symbol, timeframe=bars.timeframe, calendar=calendar.name, first_bar=None,
            last_bar=None, expected=0, stored=0, missing=0, unexpected=0, guessed_from=None,
            gaps=[], notes=["there are no bars"],
        )  # fmt: skip
    notes = []
    stored = bars.timestamps
    if TIMEFRAMES[bars.timeframe] < _DAY and calendar.name == WEEKDAYS:
        notes.append("the hours of its exchange are not known: only days without a bar are missing")
        stored = np.unique(stored.astype("datetime64[D]")).astype("datetime64[s]")
        due = calendar.sessions(bars.day(0), bars.day(-1)).astype("datetime64[s]")
    else:
        due = openings(calendar, bars.timeframe, bars.time(0), bars.time(-1))
    there = np.isin(due, stored)
    missing = np.flatnonzero(~there)
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if len(missing) else []
    if len(runs) > MOST_SHOWN:
        notes.append(f"only the first {MOST_SHOWN:,} of {len(runs):,} gaps are listed")
    guessed = None
    if calendar.last is None:
        guessed = bars.day(0)
    elif bars.day(-1) > calendar.last:
        guessed = calendar.last + _DAY
    return GapReport(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        calendar=calendar.name,
        first_bar=bars.time(0),
        last_bar=bars.time(-1),
        expected=len(due),
        stored=len(bars),
        missing=len(missing),
        unexpected=int(np.count_nonzero(~np.isin(stored, due))),
        guessed_from=guessed,
        gaps=[Gap(_time(due[run[0]]), _time(due[run[-1]]), len(run)) for run in runs[:MOST_SHOWN]],
        notes=notes,
    )


def openings(calendar: Calendar, timeframe: str, first: datetime, last: datetime) -> Times:
    """Return when bars of a timeframe open from `first` to `last`, in the sessions of a calendar.

    Weeks and months go on as the first one began.

    Raises:
        TooLong: there would be over two million.
    """
    if timeframe == "1w":
        weeks: Times = np.arange(
            _second(first), _second(last) + np.timedelta64(1, "s"), np.timedelta64(7 * 86_400, "s")
        )
        return weeks
    if timeframe == "1mo":
        begun = _second(first).astype("datetime64[M]")
        months = np.arange(begun, _second(last).astype("datetime64[M]") + 1)
        inside = _second(first) - begun.astype("datetime64[s]")
        begun_on: Times = months.astype("datetime64[s]") + inside
        return begun_on
    days = calendar.sessions(first.date() - _DAY, last.date() + _DAY)
    if timeframe == "1d":
        found = days.astype("datetime64[s]")
    else:
        step = int(TIMEFRAMES[timeframe].total_seconds()) // 60
        if len(days) * 1440 // step > MOST_EXPECTED:
            raise TooLong("the span is too long; ask for a shorter one")
        found = _inside_sessions(calendar, days, step)
    return found[(found >= _second(first)) & (found <= _second(last))]


def _inside_sessions(calendar: Calendar, days: Times, step: int) -> Times:
    """Return openings every `step` minutes from the beginning of each part of each session."""
    known = days[np.isin(days, calendar.days)]
    at = np.searchsorted(calendar.days, known)
    # There are few different days: most sessions have the same hours.
    hours = [calendar.hours[int(i)] for i in at]
    of: dict[object, list[int]] = {}
    for index, parts in enumerate(hours):
        of.setdefault(parts, []).append(index)
    found = [
        (
            known[indexes].astype("datetime64[m]")[:, None]
            + np.concatenate(
                [np.arange(opens, closes, step) for opens, closes in hours[indexes[0]]]
            ).astype("timedelta64[m]")
        ).ravel()
        for indexes in of.values()
    ]
    every = np.concatenate(found) if found else np.empty(0, "datetime64[m]")
    return np.sort(every).astype("datetime64[s]")


def _second(time: datetime) -> np.datetime64:
    return np.datetime64(int(time.timestamp()), "s")


def _time(time: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(time.astype("datetime64[s]").astype(np.int64)), UTC)
