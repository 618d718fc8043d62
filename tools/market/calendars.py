"""When exchanges trade: sessions, holidays, half days, opening and closing times in UTC.

Read from one shipped file (made from `exchange-calendars`, see `tests/golden/make_calendars.py`).
A day outside the file is a session when it is a weekday, and `knows` says that this is a guess.
A session is named by its date at the exchange; a daily bar carries that date at 00:00 UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Times = NDArray[np.datetime64]

_EXCHANGES = {
    "XNYS": "XNYS", "NYSE": "XNYS", "NEW YORK STOCK EXCHANGE": "XNYS", "AMEX": "XNYS",
    "XASE": "XNYS", "NYSE ARCA": "XNYS", "ARCX": "XNYS",
    "XNAS": "XNAS", "NASDAQ": "XNAS",
    "XLON": "XLON", "LSE": "XLON", "LONDON STOCK EXCHANGE": "XLON",
    "XTKS": "XTKS", "TSE": "XTKS", "TOKYO STOCK EXCHANGE": "XTKS", "JPX": "XTKS",
    "XHKG": "XHKG", "HKEX": "XHKG", "HKSE": "XHKG",
    "XSHG": "XSHG", "SSE": "XSHG", "XSHE": "XSHG", "SZSE": "XSHG",
    "XPHS": "XPHS", "PSE": "XPHS",
    "24/7": "24/7", "24/5": "24/5",
}  # fmt: skip
"""What people call an exchange -> its calendar. Shenzhen and New York's smaller ones trade on the
days of their larger neighbour."""
_KINDS = {"crypto": "24/7", "fx": "24/5", "forex": "24/5", "currency": "24/5"}
WEEKDAYS = "weekdays"
_DAY = np.timedelta64(1, "D")


class _Packed(msgspec.Struct, frozen=True):
    """One calendar in the file: rules, and what differs from them. Minutes from 00:00 UTC."""

    first: str
    last: str
    weekdays: list[int]
    closed: dict[str, list[str]]
    extra: list[str]
    hours: list[tuple[str, list[tuple[int, int]]]]
    odd: dict[str, list[tuple[int, int]]]


@dataclass(frozen=True)
class Session:
    """One day of trading."""

    day: date
    parts: tuple[tuple[datetime, datetime], ...]
    """From when to when it trades, UTC; two where there is a lunch break."""

    @property
    def opens(self) -> datetime:
        return self.parts[0][0]

    @property
    def closes(self) -> datetime:
        return self.parts[-1][1]


@dataclass(frozen=True, eq=False)
class Calendar:
    """The sessions of one exchange."""

    name: str
    weekdays: frozenset[int]
    """Usual days of trading, 0 is Monday."""
    days: Days
    """Known sessions, rising."""
    hours: tuple[tuple[tuple[int, int], ...], ...]
    """Of each of `days`: its parts, in minutes from its 00:00 UTC."""
    closes: Times
    """Of each of `days`: when it is over, `datetime64[s]`."""

    @property
    def first(self) -> date | None:
        """The first day that is known; None if none is."""
        return None if not len(self.days) else _date(self.days[0])

    @property
    def last(self) -> date | None:
        """The last day that is known; None if none is."""
        return None if not len(self.days) else _date(self.days[-1])

    def knows(self, day: date) -> bool:
        """Tell whether the file covers a day; otherwise every weekday is taken for a session."""
        return self.first is not None and self.last is not None and self.first <= day <= self.last

    def sessions(self, first: date, last: date) -> Days:
        """Return the sessions from `first` to `last`, both included, `datetime64[D]`."""
        from_, to = np.datetime64(first, "D"), np.datetime64(last, "D")
        every = np.arange(from_, to + _DAY) if to >= from_ else np.empty(0, "datetime64[D]")
        guessed = every[np.isin((every.astype(np.int64) + 3) % 7, sorted(self.weekdays))]
        if not len(self.days):
            return guessed
        known = self.days[(self.days >= from_) & (self.days <= to)]
        before, after = guessed[guessed < self.days[0]], guessed[guessed > self.days[-1]]
        return np.concatenate([before, known, after])

    def session(self, day: date) -> Session | None:
        """Return when a day trades; None on days without trading and where hours are unknown."""
        at = int(np.searchsorted(self.days, np.datetime64(day, "D")))
        if at == len(self.days) or self.days[at] != np.datetime64(day, "D"):
            return None
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return Session(
            day,
            tuple(
                (midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes))
                for opens, closes in self.hours[at]
            ),
        )

    def sessions_after(self, day: date, n: int) -> date:
        """Return the `n`-th session after a day (which need not be one); `day` itself for 0.

        Raises:
            ValueError: `n` is negative.
        """
        if n < 0:
            raise ValueError("n must be 0 or more")
        # Half of all days are sessions in the worst of years, and ten more bridge any closure.
        found = self.sessions(day + timedelta(days=1), day + timedelta(days=3 * n + 30))
        return day if n == 0 else _date(found[n - 1])

    def closing(self, days: Days) -> Times:
        """Return when each day is over for trading: its close if known, else the end of the day."""
        over = (days + _DAY).astype("datetime64[s]")
        if not len(self.days):
            return over
        at = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        known = self.days[at] == days
        return np.where(known, np.minimum(self.closes[at], over), over)


@cache
def named(name: str) -> Calendar:
    """Return a calendar of the file, or the one that only knows weekdays.

    Raises:
        KeyError: there is no such calendar.
    """
    if name == WEEKDAYS:
        none = np.empty(0, "datetime64[D]")
        return Calendar(name, frozenset(range(5)), none, (), none.astype("datetime64[s]"))
    packed = msgspec.convert(_file()[name], _Packed)
    first, last = np.datetime64(packed.first, "D"), np.datetime64(packed.last, "D")
    every = np.arange(first, last + _DAY)
    usual = np.isin((every.astype(np.int64) + 3) % 7, packed.weekdays)
    closed = [f"{year}-{day}" for year, days in packed.closed.items() for day in days]
    usual &= ~np.isin(every, np.array(closed, dtype="datetime64[D]"))
    usual |= np.isin(every, np.array(packed.extra, dtype="datetime64[D]"))
    days = every[usual]
    rules = [tuple(map(tuple, parts)) for _, parts in packed.hours]
    since = np.array([day for day, _ in packed.hours], dtype="datetime64[D]")
    hours: list[Any] = [rules[at] for at in np.searchsorted(since, days, side="right") - 1]
    for day, parts in packed.odd.items():
        hours[int(np.searchsorted(days, np.datetime64(day, "D")))] = tuple(map(tuple, parts))
    minutes = np.array([parts[-1][1] for parts in hours], dtype="timedelta64[m]")
    closes = (days.astype("datetime64[m]") + minutes).astype("datetime64[s]")
    return Calendar(name, frozenset(packed.weekdays), days, tuple(hours), closes)


def calendar_name(exchange: str | None, kind: str = "equity") -> str | None:
    """Return the calendar of an exchange as people call it, or of a kind that needs none."""
    if exchange is not None and exchange.strip().upper() in _EXCHANGES:
        return _EXCHANGES[exchange.strip().upper()]
    return _KINDS.get(kind)


def calendar_for(exchange: str | None, kind: str = "equity") -> Calendar:
    """Return the calendar of an instrument; one that only knows weekdays where none is known."""
    return named(calendar_name(exchange, kind) or WEEKDAYS)


def names() -> tuple[str, ...]:
    """Return the calendars that the file holds."""
    return tuple(name for name in _file() if name != "library")


def closing_times(opened: Times, timeframe: str, *, calendar: str | None) -> Times:
    """Return when bars that opened at these times (`datetime64[s]`, UTC) close.

    Bars of a day, a week or a month close with the last session in them where the calendar is
    known, else when their last UTC day is over.
    """
    if timeframe in _MINUTES:
        return opened + np.timedelta64(60 * _MINUTES[timeframe], "s")
    days: Days = opened.astype("datetime64[D]")
    last: Days
    if timeframe == "1w":
        last = days + 6 * _DAY
    elif timeframe == "1mo":
        months = opened.astype("datetime64[M]")
        inside = days - months.astype("datetime64[D]")
        last = (months + 1).astype("datetime64[D]") + inside - _DAY
    else:
        last = days
    over = (last + _DAY).astype("datetime64[s]")
    if calendar is None:
        return over
    known = named(calendar)
    if timeframe == "1d" or not len(known.days):
        return known.closing(last)
    at = np.searchsorted(known.days, last, side="right") - 1
    inside = (at >= 0) & (known.days[at] >= days) & (last <= known.days[-1])
    return np.where(inside, np.minimum(known.closes[at], over), over)


_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240}
"""Timeframes whose bars last as long wherever they stand."""


@cache
def _file() -> dict[str, Any]:
    folder = resources.files("tools.market").joinpath("calendar_data")
    read: dict[str, Any] = msgspec.json.decode(folder.joinpath("calendars.json").read_bytes())
    return read


def _date(day: np.datetime64) -> date:
    found: date = day.astype("datetime64[D]").astype(object)
    return found
