"""Find the numbers and dates that a person reads in an answer.

Reading only: what a number means and whether it is true is decided in `matching.py`. One pass over
the text with patterns that cannot backtrack far, so hostile text costs no more than long text.
"""

import re
from decimal import Decimal
from typing import Literal

import msgspec

Unit = Literal["", "%", "currency", "bps", "points", "times"]


class NumberMention(msgspec.Struct, frozen=True):
    """A number as written: "fell 3.2 %", "$12.3 million", "+0.4"."""

    start: int
    end: int
    text: str
    shown: Decimal
    """The magnitude with its scale word applied; never negative."""
    step: Decimal
    """What one unit of the last shown digit is worth."""
    sign: int
    """-1 or 1 when a sign is written, else 0."""
    unit: Unit
    digits: int
    """Significant digits shown: how much the number itself tells."""
    window: bool
    """Reads as a length of time or a setting: "50-day", "RSI 14", "last 20 bars"."""
    approximate: bool
    """Introduced by "about", "roughly", "~"."""


class DateMention(msgspec.Struct, frozen=True):
    """A date as written, as exact as it was written; 0 stands for "not said"."""

    start: int
    end: int
    text: str
    year: int
    month: int = 0
    day: int = 0
    maybe_number: bool = False
    """Four bare digits: a year, unless only a number fits."""


Mention = NumberMention | DateMention

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_MONTH = "|".join(sorted((name.capitalize() for name in MONTHS), key=len, reverse=True))
_NTH = r"(?:st|nd|rd|th)?"

_DATES = (
    rf"(?P<iso>(?P<iy>[12][0-9]{{3}})-(?P<im>[01][0-9])-(?P<id>[0-3][0-9])(?![0-9])"
    rf"(?:[T ][0-2][0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?"
    rf"(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?)"
    rf"|(?P<dmy>(?P<dd>[0-3]?[0-9]){_NTH} (?:of )?(?P<dm>{_MONTH})\b\.?,? (?P<dy>[12][0-9]{{3}})\b)"
    rf"|(?P<mdy>(?P<mm>{_MONTH})\b\.? (?P<md>[0-3]?[0-9]){_NTH},? (?P<my>[12][0-9]{{3}})\b)"
    rf"|(?P<mon>(?P<nm>{_MONTH})\b\.?,? (?P<ny>[12][0-9]{{3}})\b)"
    rf"|(?P<dom>(?P<od>[0-3]?[0-9]){_NTH} (?:of )?(?P<om>{_MONTH})\b)"
    rf"|(?P<mod>(?P<pm>{_MONTH})\b\.? (?P<pd>[0-3]?[0-9]){_NTH}\b(?![.,]?[0-9%]))"
    rf"|(?P<ym>(?P<yy>(?:19|20)[0-9]{{2}})[-/](?P<yn>0[1-9]|1[0-2])(?![0-9/-]))"
    rf"|(?P<sl>(?P<sa>[0-3]?[0-9])/(?P<sb>[0-3]?[0-9])/(?P<sy>(?:19|20)[0-9]{{2}})(?![0-9/]))"
)
_NUMBER = (
    r"(?P<num>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
    r"|[0-9]{1,3}(?:[\u00a0\u2009\u202f'’][0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
    r"|[0-9]+(?:\.[0-9]+|,[0-9]{1,2}(?![0-9]))?)"
    r"|(?P<foreign>\d+)"
)
_FIND = re.compile(rf"(?=[A-Z]|\d)(?:{_DATES}|{_NUMBER})")
"""Looks first whether anything can begin here: most characters begin nothing."""

_SKIP = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)"  # code fences, also unclosed
    r"|`[^`\n]{1,200}`"
    r"|\]\([^()\s]{0,2000}(?:\s+\"[^\"\n]{0,200}\")?\)"  # link targets
    r"|(?:https?://|www\.)[^\s<>]{1,2000}"
    r"|<[a-zA-Z/][^<>]{0,500}>"
    r"|\[\^?[0-9]{1,3}\]"  # footnote markers
    r"|(?m:^[ \t>*#-]{0,12}[0-9]{1,3}[.)](?=[ \t]))"  # list ordinals, numbered headings
    r"|\b(?:S&P|S&amp;P|SP|Nasdaq|NASDAQ|Russell|FTSE|Dow|DAX|CAC|Nikkei|Stoxx|STOXX|Fortune)"
    r"[ -]?(?:30|40|50|100|225|500|600|1000|2000|3000)\b"
    r"|(?<![\w.,])[0-9]{4,6}\.[A-Z]{2}\b",  # 000338.SZ is a name
    re.DOTALL,
)
_CODE_NUMBER = re.compile(r"`[-−+]?[$€£]?[0-9][0-9,.]*\s?%?`")

_SCALES = {
    "k": 3, "thousand": 3,
    "m": 6, "mn": 6, "mio": 6, "million": 6, "millions": 6,
    "b": 9, "bn": 9, "billion": 9, "billions": 9,
    "t": 12, "tn": 12, "trillion": 12,
}  # fmt: skip
_SCALE = re.compile(
    r"[ \u00a0\u202f]?(?P<word>thousand|millions?|billions?|trillion|mn|mio|bn|tn)\b"
    r"|(?P<letter>[kKmMbBtT])\b"
)
_UNIT = re.compile(
    r"[ \u00a0\u2009\u202f-]?(?:(?P<percent>%|percent(?:age points?)?\b|per cent\b|pct\b|pp\b)"
    r"|(?P<bps>bps?\b|basis points?\b)"
    r"|(?P<points>points?\b|pts?\b)"
    r"|(?P<times>(?:x|×)(?![\w])|times\b)"
    r"|(?P<money>USD\b|EUR\b|GBP\b|dollars?\b|euros?\b|€))"
)
_MONEY_BEFORE = re.compile(r"(?:US\$|[$€£¥]|USD |EUR |GBP )$")
_WINDOW_AFTER = re.compile(
    r"[ \u00a0-]?(?:d|day|days|bar|bars|week|weeks|month|months|year|years|session|sessions|"
    r"trading|hour|hours|minute|minutes|quarter|quarters|yr|mo)\b",
    re.IGNORECASE,
)
_SLASHED_AFTER = re.compile(
    r"(?:-? ?(?:[/,&]|and|or|to) ?-?[0-9]{1,3}){1,4}[ -](?:day|bar|week|month)", re.IGNORECASE
)
_WINDOW_BEFORE = re.compile(
    r"(?:\b(?:rsi|macd|atr|adx|sma|ema|bollinger(?: bands?)?|donchian|mfi|cci|stochastic|period|"
    r"length|window|lookback|setting)s?[ (-]{1,2}(?:of )?"
    r"|\b(?:last|past|previous|next|following|coming|prior|trailing|over|limit)(?: the)? "
    r"|(?<=[0-9])[/,] ?)$",
    re.IGNORECASE,
)
_COVERAGE_AFTER = re.compile(
    r"[ -](?:(?:prediction|confidence|forecast|wilson) )?(?:interval|confidence|band|range)",
    re.IGNORECASE,
)
_APPROXIMATE = re.compile(
    r"(?:\b(?:about|around|roughly|nearly|almost|approximately|some|over|under|close to|more than|"
    r"less than|circa|ca\.)|[~≈]) ?[$€£]?$",
    re.IGNORECASE,
)
_IDENTIFIER_BEFORE = re.compile(r"[^\W\d_][-_]$")
_YEAR_PREFIX = re.compile(r"(?:mid|early|late|pre|post|end)-$", re.IGNORECASE)
_VERSION_TAIL = re.compile(r"(?:\.[0-9]+)+")
MAX_MENTIONS = 2000
"""More numbers than any answer holds; what comes after is not read."""


def find_mentions(text: str) -> list[Mention]:
    """Return the numbers and dates of `text` in reading order, without overlaps."""
    mentions: list[Mention] = []
    skips = iter(_skipped(text))
    skip = next(skips, None)
    position = 0
    while len(mentions) < MAX_MENTIONS:
        found = _FIND.search(text, position)
        if found is None:
            break
        while skip is not None and skip[1] <= found.start():
            skip = next(skips, None)
        if skip is not None and skip[0] <= found.start():
            position = skip[1]
            continue
        mention, position = _read(text, found)
        if mention is not None:
            mentions.append(mention)
    return mentions


def _skipped(text: str) -> list[tuple[int, int]]:
    """Return the spans in which digits are not said to anybody: code, links, ordinals, names."""
    return [
        found.span()
        for found in _SKIP.finditer(text)
        if not _CODE_NUMBER.fullmatch(found.group())  # `806.19` is still a number that is claimed
    ]


def _read(text: str, found: re.Match[str]) -> tuple[Mention | None, int]:
    """Return the mention at `found`, or None, and where to read on."""
    if found.lastgroup is None or found["foreign"] is not None:
        start, end = found.span()
        if _inside_word(text, start, end):
            return None, end
        return _bare(text, start, end), end
    if found["num"] is not None:
        return _read_number(text, found)
    start, end = found.span()
    if _inside_word(text, start, end):
        return None, end
    date = _date(found, text)
    if date is not None:
        return date, end
    # Not a date after all ("31 February 2013", "99/99/2013"): its first digits are a number.
    digits = re.compile(r"[0-9]+").search(text, start, end)
    if digits is None:
        return None, end
    return _bare(text, digits.start(), digits.end()), digits.end()


def _bare(text: str, start: int, end: int) -> NumberMention:
    """Return a number that nothing will match: it is shown, so it must be marked."""
    return NumberMention(
        start=start,
        end=end,
        text=text[start:end],
        shown=Decimal("NaN"),
        step=Decimal(1),
        sign=0,
        unit="",
        digits=0,
        window=False,
        approximate=False,
    )


def _inside_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return before.isalpha() or before == "_" or after.isalpha() or after == "_"


def _date(found: re.Match[str], text: str) -> DateMention | None:
    kinds = {
        "iso": ("iy", "im", "id"),
        "dmy": ("dy", "dm", "dd"),
        "mdy": ("my", "mm", "md"),
        "mon": ("ny", "nm", None),
        "dom": (None, "om", "od"),
        "mod": (None, "pm", "pd"),
        "ym": ("yy", "yn", None),
        "sl": ("sy", "sb", "sa"),
    }
    year, month, day = next(parts for kind, parts in kinds.items() if found[kind] is not None)
    month_text = found[month]
    number = MONTHS[month_text.lower()] if month_text.isalpha() else int(month_text)
    day_number = int(found[day]) if day else 0
    if found["sl"] is not None and number > 12 >= day_number:
        number, day_number = day_number, number
    if not 1 <= number <= 12 or day_number > 31 or (day and not day_number):
        return None
    return DateMention(
        start=found.start(),
        end=found.end(),
        text=text[found.start() : found.end()],
        year=int(found[year]) if year else 0,
        month=number,
        day=day_number,
    )


def _read_number(text: str, found: re.Match[str]) -> tuple[Mention | None, int]:
    start, end = found.span()
    before = text[max(0, start - 28) : start]
    previous = before[-1:]
    if previous.isalpha() or previous == "_":
        return None, end
    if _IDENTIFIER_BEFORE.search(before) and not _YEAR_PREFIX.search(before):
        return None, end  # GPT-4, RSI-14: part of a name
    tail = _VERSION_TAIL.match(text, end)
    if tail is not None and ("." in found.group() or tail.group().count(".") > 1):
        return None, tail.end()  # 1.2.3, 127.0.0.1
    clock = re.compile(r":[0-5][0-9](?::[0-5][0-9])?(?![0-9])").match(text, end)
    if clock is not None and found.group().isdigit() and int(found.group()[:3]) < 24:
        return _bare(text, start, clock.end()), clock.end()

    digits, end, scale = _scaled(text, found.group(), end)
    unit_found = _UNIT.match(text, end)
    unit: Unit = ""
    money = _MONEY_BEFORE.search(before)
    if unit_found is not None:
        unit = _unit_of(unit_found)
        end = unit_found.end()
    if money is not None:
        unit = "currency"
        start -= len(money.group().strip()) + (1 if money.group().endswith(" ") else 0)
    after = text[end : end + 1]
    window = False
    window_after = _WINDOW_AFTER.match(text, end) if not unit else None
    if window_after is not None and (window_after.group()[0] in " -\u00a0" or not scale):
        window = True
    elif after.isalpha() or after == "_":
        return None, end  # 1st, 20th, 3rd, 4x4
    window = window or (unit == "%" and bool(_COVERAGE_AFTER.match(text, end)))
    sign, start = _sign(text, start)
    before = text[max(0, start - 28) : start]
    window = window or bool(_WINDOW_BEFORE.search(before)) or bool(_SLASHED_AFTER.match(text, end))

    plain = (
        digits.replace(",", "")
        if not re.fullmatch(r"[0-9]+,[0-9]{1,2}", digits)
        else digits.replace(",", ".")
    )
    plain = re.sub(r"[^0-9.]", "", plain)
    if _is_year(plain, digits, unit, sign, scale) and not window:
        return (
            DateMention(start, end, text[start:end], year=int(plain), maybe_number=True),
            end,
        )
    if len(plain) > 40:
        return _bare(text, start, end), end
    decimals = len(plain.partition(".")[2])
    significant = plain.replace(".", "").lstrip("0")
    return (
        NumberMention(
            start=start,
            end=end,
            text=text[start:end],
            shown=Decimal(plain).scaleb(scale),
            step=Decimal(1).scaleb(scale - decimals),
            sign=sign,
            unit=unit,
            digits=len(significant) or 1,
            window=window,
            approximate=bool(_APPROXIMATE.search(before)),
        ),
        end,
    )


def _scaled(text: str, digits: str, end: int) -> tuple[str, int, int]:
    """Return the digits, where they end with their scale word, and the power of ten it means."""
    found = _SCALE.match(text, end)
    if found is None:
        return digits, end, 0
    word = (found["word"] or found["letter"]).lower()
    return digits, found.end(), _SCALES[word]


def _unit_of(found: re.Match[str]) -> Unit:
    if found["percent"]:
        return "%"
    if found["bps"]:
        return "bps"
    if found["points"]:
        return "points"
    return "times" if found["times"] else "currency"


def _sign(text: str, start: int) -> tuple[int, int]:
    """Return the written sign before `start` and where the mention begins with it."""
    mark = text[start - 1 : start]
    if mark not in {"-", "−", "–", "+"} or not mark:
        return 0, start
    before = text[start - 2 : start - 1] if start > 1 else ""
    if before.isalnum() or before in {"%", "_", mark, ")", "\u00a0"}:
        return 0, start  # a range or a compound: 0.9–1.9, 50-200, --5
    return (1 if mark == "+" else -1), start - 1


def _is_year(plain: str, digits: str, unit: Unit, sign: int, scale: int) -> bool:
    return (
        len(digits) == 4
        and digits.isdigit()
        and plain[:2] in {"19", "20"}
        and not unit
        and not sign
        and not scale
    )
