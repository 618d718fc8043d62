"""Write `tools/market/calendar_data/calendars.json` from the library `exchange-calendars`.

Run it when the library knows more years: `python -m tests.golden.make_calendars`. A test holds the
shipped file to the library.
"""

import json
from pathlib import Path
from typing import Any

import exchange_calendars
import numpy as np

NAMES = ("XNYS", "XNAS", "XLON", "XTKS", "XHKG", "XSHG", "XPHS", "24/7", "24/5")
FILE = Path(__file__).parents[2] / "tools" / "market" / "calendar_data" / "calendars.json"
FROM, TO = "1980-01-01", "2027-12-31"
Hours = tuple[tuple[int, int], ...]


def sessions_of(name: str) -> dict[str, Hours]:
    """Return day -> when it trades, in minutes UTC from that day's midnight; one entry a part."""
    limits = exchange_calendars.get_calendar(name)
    start = max(limits.bound_min() or np.datetime64(FROM), np.datetime64(FROM))
    end = min(limits.bound_max() or np.datetime64(TO), np.datetime64(TO))
    calendar = exchange_calendars.get_calendar(name, start=str(start)[:10], end=str(end)[:10])
    found: dict[str, Hours] = {}
    columns = ("open", "break_start", "break_end", "close")
    table = calendar.schedule
    times = {
        column: table[column].to_numpy(dtype="datetime64[m]", na_value=np.datetime64("NaT"))
        for column in columns
    }
    for row, day in enumerate(table.index.to_numpy(dtype="datetime64[D]")):
        at = {
            column: int((values[row] - day.astype("datetime64[m]")).astype(int))
            for column, values in times.items()
            if not np.isnat(values[row])
        }
        parts: Hours = ((at["open"], at["close"]),)
        if "break_start" in at:
            parts = ((at["open"], at["break_start"]), (at["break_end"], at["close"]))
        found[str(day)] = parts
    return found


def packed(sessions: dict[str, Hours]) -> dict[str, Any]:
    """Return the sessions as rules and what differs from them."""
    days = np.array(list(sessions), dtype="datetime64[D]")
    weekday = (days.astype(int) + 3) % 7
    usual = np.bincount(weekday, minlength=7) > len(days) / 14
    every = np.arange(days[0], days[-1] + 1)
    expected = every[usual[(every.astype(int) + 3) % 7]]
    closed: dict[str, list[str]] = {}
    for day in np.setdiff1d(expected, days):
        closed.setdefault(str(day)[:4], []).append(str(day)[5:])
    hours: list[tuple[str, Hours]] = []
    odd: dict[str, Hours] = {}
    parts = list(sessions.values())
    for index, (day, one) in enumerate(sessions.items()):
        if hours and hours[-1][1] == one:
            continue
        # Hours that hold for most of the next days are a new rule, others an exception.
        if not hours or sum(later == one for later in parts[index + 1 : index + 6]) >= 3:
            hours.append((day, one))
        else:
            odd[day] = one
    return {
        "first": str(days[0]),
        "last": str(days[-1]),
        "weekdays": np.flatnonzero(usual).tolist(),
        "closed": closed,
        "extra": [str(day) for day in np.setdiff1d(days, expected)],
        "hours": hours,
        "odd": odd,
    }


def main() -> None:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    calendars = {name: packed(sessions_of(name)) for name in NAMES}
    lines = [
        f"{json.dumps(name)}: {json.dumps(calendar, separators=(',', ':'))}"
        for name, calendar in calendars.items()
    ]
    library = f'"library": "exchange-calendars {exchange_calendars.__version__}"'
    FILE.write_text("{" + ",\n".join([library, *lines]) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
