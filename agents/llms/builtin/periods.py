"""Read which stretch of time a question speaks of: "since March 2012", "last 3 months", "2008".

Stretches that end "now" stay relative: the data may end years before today, and only the tools
know where.
"""

import calendar
import re
from datetime import date

import msgspec

from agents.claims.mentions import MONTHS


class Period(msgspec.Struct, frozen=True):
    """A stretch of time as asked for. At most one of the four ways to say it is filled in."""

    preset: str = ""
    """A name the tools know: "1w" ... "10y", "ytd", "max"; it ends with the last bar."""
    start: date | None = None
    end: date | None = None
    on: date | None = None
    """One day: what was known and quoted then."""
    days: int = 0
    """So many calendar days before the last bar, where no preset fits."""
    said: str = ""

    @property
    def is_day(self) -> bool:
        return self.on is not None


_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "eighteen": 18, "twenty": 20,
    "thirty": 30, "couple": 2, "couple of": 2, "a couple of": 2, "few": 3, "a few": 3, "half a": 0,
}  # fmt: skip
_COUNT = (
    r"(?P<%s>[0-9]{1,4}(?=[ -]?[a-z])|(?:half a|a couple of|couple of|a few|few|an?|one|two|three|"
    r"four|five|six|seven|eight|nine|ten|eleven|twelve|eighteen|twenty|thirty)(?=[ -]))"
)
_DAY = (
    rf"(?:(?P<{{0}}iy>(?:19|20)[0-9]{{{{2}}}})-(?P<{{0}}im>[01]?[0-9])-(?P<{{0}}id>[0-3]?[0-9])"
    rf"|(?:(?P<{{0}}d>[0-3]?[0-9])(?:st|nd|rd|th)? (?:of )?)(?P<{{0}}dm>{_MONTH})\.?,? "
    rf"(?P<{{0}}dy>(?:19|20)[0-9]{{{{2}}}})"
    rf"|(?P<{{0}}mm>{_MONTH})\.? (?P<{{0}}md>[0-3]?[0-9])(?:st|nd|rd|th)?,? "
    rf"(?P<{{0}}my>(?:19|20)[0-9]{{{{2}}}})"
    rf"|(?P<{{0}}m>{_MONTH})\.?,?(?: of)? (?P<{{0}}y>(?:19|20)[0-9]{{{{2}}}})"
    rf"|q(?P<{{0}}q>[1-4]),? ?(?P<{{0}}qy>(?:19|20)[0-9]{{{{2}}}})"
    rf"|(?P<{{0}}yy>(?:19|20)[0-9]{{{{2}}}}))(?![0-9])(?![.,][0-9])(?!-[0-9]{{{{1,2}}}}(?:-|\\b))"
)
_PARTS = r"(?:(?:the )?(?:end|beginning|start) of |the |early |late |mid-?)?"


def _day(name: str) -> str:
    return _DAY.format(name)


_BETWEEN = re.compile(
    rf"\b(?:from|between) {_PARTS}{_day('a')} ?(?:to|and|until|till|through|-) ?{_PARTS}{_day('b')}"
)
_RANGE = re.compile(rf"\b(?<!-){_day('a')} ?(?:to|until|through|-) ?{_day('b')}")
_SINCE = re.compile(rf"\b(?:since|after|from|starting(?: in)?) {_PARTS}{_day('a')}")
_UNTIL = re.compile(rf"\b(?:until|till|up to|through|before) {_PARTS}{_day('a')}")
_AT = re.compile(rf"\b(?:as of|at|by) {_PARTS}{_day('a')}")
_IN = re.compile(rf"(?<![0-9$.,])\b{_day('a')}")
_BACK = re.compile(
    r"\b(?:(?:over|in|for|during|within|across)? ?(?:the )?"
    r"(?:last|past|previous|prior|trailing|latest) "
    + _COUNT % "c1"
    + "|"
    + _COUNT % "c2"
    + r")[ -]?(?P<unit>trading days?|days?|d|sessions?|bars?|weeks?|wks?|w|months?|mos?|"
    r"years?|yrs?|y|decades?|quarters?)\b(?P<ago> ago)?"
)
_NAMED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), preset)
    for pattern, preset in (
        (r"ytd|year to date|(?:so far )?this year|since (?:new year|january 1st)", "ytd"),
        (r"all[ -]time|ever|since (?:the |its )?(?:beginning|start|ipo|inception)", "max"),
        (r"(?:the )?(?:whole|entire|full) (?:history|period)|historically|lifetime", "max"),
        (r"(?:last|past|previous|prior|this|the|1) ?-?week|weekly|week ago", "1w"),
        (r"(?:last|past|previous|prior|this|the) month|month ago", "1m"),
        (r"(?:last|past|previous|prior|this) quarter", "3m"),
        (r"half[ -]?(?:a )?year|(?:last|past) half", "6m"),
        (r"(?:last|past|previous|prior|trailing) year|(?:a )?year ago|12m|over the year", "1y"),
        (r"(?:last|past|previous) decade", "10y"),
    )
)
_SINCE_LAST = re.compile(r"\bsince last (?P<unit>week|month|year|quarter)\b")
_PRESETS = {
    ("week", 1): "1w", ("month", 1): "1m", ("month", 3): "3m", ("month", 6): "6m",
    ("month", 12): "1y", ("month", 24): "2y", ("month", 36): "3y", ("month", 60): "5y",
    ("year", 1): "1y", ("year", 2): "2y", ("year", 3): "3y", ("year", 5): "5y", ("year", 10): "10y",
    ("week", 52): "1y", ("quarter", 1): "3m", ("quarter", 2): "6m", ("quarter", 4): "1y",
    ("decade", 1): "10y", ("day", 7): "1w", ("day", 365): "1y", ("bar", 5): "1w",
    ("bar", 252): "1y",
}  # fmt: skip
_DAYS = {"day": 1, "week": 7, "month": 30.44, "quarter": 91.3, "year": 365.25, "decade": 3652.5,
         "bar": 1.45}  # fmt: skip


def find_period(text: str) -> tuple[Period | None, str]:
    """Return the stretch of time `text` names, and the text with its words replaced by PERIOD."""
    low = text.lower()
    for read in (_absolute, _relative):
        found = read(low)
        if found is not None:
            period, start, end = found
            said = text[start:end].strip()
            return (
                msgspec.structs.replace(period, said=said),
                f"{text[:start]} PERIOD {text[end:]}",
            )
    return None, text


def _absolute(low: str) -> tuple[Period, int, int] | None:
    for pattern in (_BETWEEN, _RANGE):
        found = pattern.search(low)
        if found is not None:
            first, second = _span(found, "a"), _span(found, "b")
            if first and second and first[0] <= second[1]:
                return Period(start=first[0], end=second[1]), found.start(), found.end()
    found = _SINCE.search(low)
    if found is not None and (span := _span(found, "a")):
        return Period(start=span[0]), found.start(), found.end()
    found = _UNTIL.search(low)
    if found is not None and (span := _span(found, "a")):
        return Period(on=span[1]), found.start(), found.end()
    found = _AT.search(low)
    if found is not None and (span := _span(found, "a")):
        return Period(on=span[1]), found.start(), found.end()
    for found in _IN.finditer(low):
        span = _span(found, "a")
        if span is None:
            continue
        lead = re.search(
            r"(?:\b(?:on|in|during|over|for|of|throughout) (?:the year )?)$", low[: found.start()]
        )
        start = lead.start() if lead else found.start()
        if span[0] == span[1]:
            return Period(on=span[0]), start, found.end()
        return Period(start=span[0], end=span[1]), start, found.end()
    return None


def _relative(low: str) -> tuple[Period, int, int] | None:
    found = _BACK.search(low)
    if found is not None:
        said = found["c1"] or found["c2"]
        unit = _unit(found["unit"])
        # "a 50-day line" is a setting and "a day" a rate: only "last ...", "... ago" and the
        # longer units stand alone.
        alone = found["c1"] is None and not found["ago"]
        if not (alone and (unit in {"day", "bar"} or said in {"a", "an"})):
            count = int(said) if said.isdigit() else _NUMBERS[said]
            if said == "half a":
                return Period(preset="6m"), found.start(), found.end()
            if count:
                preset = _PRESETS.get((unit, count), "")
                days = 0 if preset else min(round(_DAYS[unit] * count), 40_000)
                return Period(preset=preset, days=days), found.start(), found.end()
    since = _SINCE_LAST.search(low)
    if since is not None:
        preset = {"week": "1w", "month": "1m", "quarter": "3m", "year": "1y"}[since["unit"]]
        return Period(preset=preset), since.start(), since.end()
    for pattern, preset in _NAMED:
        found = pattern.search(low)
        if found is not None:
            return Period(preset=preset), found.start(), found.end()
    return None


def _unit(said: str) -> str:
    for name, spellings in (
        ("bar", ("trading", "session", "bar")),
        ("day", ("d",)),
        ("week", ("w",)),
        ("month", ("mo", "mos")),
        ("year", ("y",)),
        ("quarter", ("q",)),
    ):
        if said.startswith(spellings) and not (name == "day" and said.startswith("decade")):
            return name
    return "decade"


def _span(found: re.Match[str], name: str) -> tuple[date, date] | None:
    """Return first and last day of the day, month, quarter or year that matched."""
    group = {
        key.removeprefix(name): value
        for key, value in found.groupdict().items()
        if key.startswith(name) and value is not None
    }
    try:
        if "iy" in group:
            day = date(int(group["iy"]), int(group["im"]), int(group["id"]))
        elif "d" in group:
            day = date(int(group["dy"]), MONTHS[group["dm"]], int(group["d"]))
        elif "md" in group:
            day = date(int(group["my"]), MONTHS[group["mm"]], int(group["md"]))
        elif "m" in group:
            return _months(int(group["y"]), MONTHS[group["m"]], 1)
        elif "q" in group:
            return _months(int(group["qy"]), 3 * int(group["q"]) - 2, 3)
        else:
            return _months(int(group["yy"]), 1, 12)
    except ValueError:
        return None
    return day, day


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    last = month + count - 1
    return date(year, month, 1), date(year, last, calendar.monthrange(year, last)[1])
