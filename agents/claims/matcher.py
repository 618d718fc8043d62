"""Find the value that a number of an answer stands on.

Wrong evidence is worse than none: a number is supported only if one value, rounded as written, is
the number, and the words around it speak of that value and of no other that would fit as well.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from agents.claims.context import Reader, Surroundings
from agents.claims.facts import Fact
from agents.claims.mentions import DateMention, Mention, NumberMention
from agents.claims.units import kind_of_unit, readings
from agents.claims.words import name_parts

MAX_CANDIDATES = 400
"""Values looked at for one number; a number that fits more of them says nothing anyway."""
_EVEN = 0.04
"""Two labels whose scores differ by less than this share are equally near."""

_UNNAMED = 1.0
"""What a short number loses where the words name what is around the value, but not the value."""
_UNITS_OF_TIME = frozenset(("day", "n"))
"""Said with every length of time, whatever it is the length of."""
_RESULT = frozenset(("data", "asOf"))
_COMPANY = 0.4
"""What it counts that the number before came from the same place."""
_RECORD = 3.0
"""What it counts for a date that the sentence began with the name of the record it stands in."""
_NOTHING_BEFORE: tuple[int, int, tuple[str, ...]] = (-1, -1, ())

Scored = tuple[float, Fact]
Match = tuple[Literal["supported", "parameter"], Fact]


class Matcher:
    """Finds the value behind a mention."""

    def __init__(self, facts: list[Fact], reader: Reader, mentions: list[Mention]) -> None:
        self._reader = reader
        numbers = [fact for fact in facts if fact.number is not None]
        single = [fact for fact in numbers if not fact.bulk]
        self._numbers = sorted(single, key=lambda fact: (_magnitude(fact), fact.order))
        self._magnitudes = [float(_magnitude(fact)) for fact in self._numbers]
        self._rows_by_day: dict[date, list[Fact]] = {}
        self._rows_by_symbol: dict[str, list[Fact]] = {}
        for fact in numbers:
            if fact.bulk and fact.row_day is not None:
                self._rows_by_day.setdefault(fact.row_day, []).append(fact)
            if fact.bulk and fact.row_symbol:
                self._rows_by_symbol.setdefault(fact.symbol, []).append(fact)
        self._newest = {
            day for fact in facts if fact.path == ("asOf",) and (day := fact.day) is not None
        }
        self._days = [fact for fact in facts if fact.day is not None]
        self._by_day = _group(self._days, lambda day: (day.year, day.month, day.day))
        self._by_month = _group(self._days, lambda day: (day.year, day.month))
        self._by_year = _group(self._days, lambda day: (day.year,))
        self._by_day_of_year = _group(self._days, lambda day: (day.month, day.day))
        self._settings: dict[int, list[Fact]] = {}
        for fact in facts:
            for length in fact.lengths:
                self._settings.setdefault(length, []).append(fact)
        self._said_days = [
            (mention.start, date(mention.year, mention.month, mention.day))
            for mention in mentions
            if isinstance(mention, DateMention)
            and mention.year
            and mention.day
            and _is_date(mention)
        ]
        self._said_day_starts = [start for start, _ in self._said_days]
        self._before = _NOTHING_BEFORE

    def match(self, mention: Mention) -> Match | None:
        """Return the value a mention stands on and in which way, or None."""
        found = self._find(mention, self._reader.around(mention.start, mention.end))
        line = self._reader.line_of(mention.start)
        if found is not None and found[0] == "supported":
            self._before = (line, found[1].evidence, found[1].path[:-1])
        elif line != self._before[0]:
            self._before = _NOTHING_BEFORE
        return found

    def _find(self, mention: Mention, around: Surroundings) -> Match | None:
        if isinstance(mention, DateMention):
            found = self._match_date(mention, around)
            if found is not None or not mention.maybe_number:
                return found
            mention = _as_number(mention)
        if mention.shown.is_nan():
            return None
        if mention.window:
            setting = self._setting(mention, around)
            if setting is not None:
                return "parameter", setting

        def unsaid(fact: Fact) -> int:
            return sum(idea not in around.nearness for idea in fact.own)

        fact = _choose(self._fitting(mention, around), _least_score(mention), unsaid)
        if fact is not None:
            return ("parameter" if fact.asked else "supported"), fact
        return None

    # Numbers ----------------------------------------------------------------------------------

    def _fitting(self, mention: NumberMention, around: Surroundings) -> list[Scored]:
        scored: list[Scored] = []
        for fact in self._candidates(mention, around):
            fit = self._score(mention, around, fact)
            if fit is not None:
                scored.append((fit + self._company(mention, fact), fact))
        found_out = [one for one in scored if not one[1].asked]
        # What was found out explains a number better than what was asked for.
        return found_out or scored

    def _company(self, mention: Mention, fact: Fact) -> float:
        """Numbers said in one breath tend to come from one place of one result."""
        line, evidence, place = self._before
        if fact.evidence != evidence or line != self._reader.line_of(mention.start):
            return 0.0
        return _COMPANY if fact.path[:-1] == place else 0.0

    def _candidates(self, mention: NumberMention, around: Surroundings) -> Iterator[Fact]:
        tolerance = _tolerance(mention)
        seen: set[int] = set()
        for factor in (Decimal(1), Decimal(100), Decimal(10_000)):
            low = float((mention.shown - tolerance) / factor)
            high = float((mention.shown + tolerance) / factor)
            slack = abs(high) * 1e-12
            first = bisect_left(self._magnitudes, low - slack)
            last = bisect_right(self._magnitudes, high + slack)
            for fact in self._numbers[first : min(last, first + MAX_CANDIDATES)]:
                if fact.order not in seen:
                    seen.add(fact.order)
                    yield fact
        for fact in self._anchored(around):
            if fact.order not in seen:
                seen.add(fact.order)
                yield fact

    def _anchored(self, around: Surroundings) -> Iterator[Fact]:
        """Return values of long lists that the sentence singles out by date or by name."""
        left, right = around.sentence
        first = bisect_left(self._said_day_starts, left)
        last = bisect_left(self._said_day_starts, right)
        said = {day for _, day in self._said_days[first : min(last, first + 8)]}
        for day in sorted(said) or sorted(self._newest):
            yield from self._rows_by_day.get(day, ())[:MAX_CANDIDATES]
        for symbol in sorted(around.symbols):
            yield from self._rows_by_symbol.get(symbol, ())[:MAX_CANDIDATES]

    def _score(self, mention: NumberMention, around: Surroundings, fact: Fact) -> float | None:
        """Return how well the words around speak of `fact`, or None where it cannot be meant."""
        number = fact.number
        if number is None or (around.symbols_certain and _somebody_else(fact, around)):
            return None
        if not _same_sign(mention, around, fact, number):
            return None
        best: float | None = None
        tolerance = _tolerance(mention)
        for factor, bonus in readings(
            mention.unit, kind_of_unit(fact.unit), number, percent_said=around.percent_said
        ):
            if abs(abs(number) * factor - mention.shown) <= tolerance:
                best = bonus if best is None else max(best, bonus)
        if best is None:
            return None
        if (
            mention.digits <= 3
            and fact.own
            and not any(idea in around.nearness for idea in fact.own)
        ):
            best -= _UNNAMED
        return best + _said(fact, around)

    def _setting(self, mention: NumberMention, around: Surroundings) -> Fact | None:
        """Return where a length of time or a setting was asked for or named."""
        if mention.shown != mention.shown.to_integral_value():
            return None
        wanted = int(mention.shown)
        candidates = [
            (_by_name(fact, around), fact)
            for fact in self._settings.get(wanted, ())
            if not (around.symbols_certain and _somebody_else(fact, around))
        ]
        low = bisect_left(self._magnitudes, float(wanted))
        high = bisect_right(self._magnitudes, float(wanted))
        candidates += [
            (_by_name(fact, around) + 0.1, fact)
            for fact in self._numbers[low : min(high, low + MAX_CANDIDATES)]
            if fact.asked and fact.number == wanted
        ]
        if mention.unit == "%":
            candidates += [
                (_by_name(fact, around) + 0.1, fact)
                for fact in self._numbers
                if fact.asked and fact.number is not None and fact.number * 100 == wanted
            ][:MAX_CANDIDATES]
        if not candidates:
            return None
        _, fact = max(candidates, key=lambda one: (one[0], one[1].asked, -one[1].order))
        if fact.asked and fact.path[0] not in _RESULT:
            return fact
        # It is a setting of this tool; which of its places says so would be a guess.
        return msgspec.structs.replace(fact, path=(), symbol="", named="", unit="")

    # Dates ------------------------------------------------------------------------------------

    def _match_date(self, mention: DateMention, around: Surroundings) -> Match | None:
        exact = bool(mention.day)
        if mention.year and mention.month and mention.day:
            facts = self._by_day.get((mention.year, mention.month, mention.day), [])
        elif mention.year and mention.month:
            facts = self._by_month.get((mention.year, mention.month), [])
        elif mention.month:
            facts = self._by_day_of_year.get((mention.month, mention.day), [])
        else:
            facts = self._by_year.get((mention.year,), [])
        if not exact:
            facts = [fact for fact in facts if not fact.bulk]
        led_by = self._reader.words_before(mention.start)
        scored = [
            (_said(fact, around) + self._company(mention, fact) + _record(fact, led_by), fact)
            for fact in facts[:MAX_CANDIDATES]
            if not (around.symbols_certain and fact.bulk and _somebody_else(fact, around))
        ]
        found_out = [one for one in scored if not one[1].asked]
        fact = _choose(found_out, 0.0)
        if fact is None:
            asked = [one for one in scored if one[1].asked]
            fact = max(asked, key=lambda one: (one[0], -one[1].order))[1] if asked else None
        if fact is None:
            return None
        return ("parameter" if fact.asked else "supported"), fact


def _choose(
    scored: list[Scored], least: float, unsaid: Callable[[Fact], int] = lambda _: 0
) -> Fact | None:
    """Return the value that is clearly meant; None when two different ones fit as well.

    Of two that fit evenly the plainer is meant: "rose 209 %" is the change, not the total return,
    because nobody said "total".
    """
    if not scored:
        return None
    scored.sort(key=lambda one: (-one[0], one[1].order))
    best, fact = scored[0]
    if best < least:
        return None
    floor = best - max(_EVEN * abs(best), 1e-9)
    even = [other for score, other in scored if score >= floor]
    if not any(_differ(fact, other) for other in even):
        return fact
    plainest = min(map(unsaid, even))
    plain = [other for other in even if unsaid(other) == plainest]
    return None if any(_differ(plain[0], other) for other in plain) else plain[0]


def _differ(one: Fact, other: Fact) -> bool:
    if one.day is not None or other.day is not None:
        return one.day != other.day
    if one.number is None or other.number is None:
        return one.number != other.number
    # The same quantity computed in two ways differs in the last bits.
    return abs(one.number - other.number) > abs(one.number) * Decimal("1e-9")


def _least_score(mention: NumberMention) -> float:
    """Return how much the words must tell: a number of many digits speaks for itself."""
    if mention.digits >= 5:
        return 0.0
    if mention.digits == 4:
        return 0.15
    return 0.5 if mention.digits == 3 else 0.8


def _said(fact: Fact, around: Surroundings) -> float:
    """Return how near the words that describe `fact` stand."""
    score = sum(
        weight * around.nearness[idea]
        for idea, weight in fact.ideas.items()
        if idea in around.nearness
    )
    if fact.symbol and fact.symbol in around.symbols:
        score += 0.4
    elif fact.symbol and around.symbols:
        score -= 1.0
    return score


def _record(fact: Fact, led_by: frozenset[str]) -> float:
    """ "Breakout, since 1 February" speaks of the breakout, whatever else happened on that day."""
    name = name_parts(fact.named)
    return _RECORD if name and led_by.issuperset(name) else 0.0


def _by_name(fact: Fact, around: Surroundings) -> float:
    """A setting belongs where its own name is spoken of, not only what stands around it."""
    named = fact.own if fact.asked else fact.measured
    score = sum(
        around.nearness.get(idea, 0.0)
        for idea in named
        if not idea.isdigit() and (idea not in _UNITS_OF_TIME or fact.asked)
    )
    if fact.quoted:
        score *= 0.5  # a sentence has words for everything
    return score + (0.4 if fact.symbol and fact.symbol in around.symbols else 0.0)


def _somebody_else(fact: Fact, around: Surroundings) -> bool:
    return bool(fact.symbol and around.symbols and fact.symbol not in around.symbols)


def _same_sign(mention: NumberMention, around: Surroundings, fact: Fact, number: Decimal) -> bool:
    if number == 0 or mention.shown == 0:
        return True
    if mention.sign:
        return (number > 0) == (mention.sign > 0)
    if number < 0:
        return around.direction < 0
    # "fell 3 %" cannot stand on a change of +3 %; "fell to 806" can stand on a price.
    return not (around.down_before and "change" in fact.ideas and "drawdown" not in fact.ideas)


def _tolerance(mention: NumberMention) -> Decimal:
    """Return half a unit of the last digit that was meant to be exact."""
    step = mention.step
    if mention.approximate and mention.shown:
        # "about 2,100": the closing zeros were rounded away; two digits must remain.
        while mention.shown % (step * 10) == 0 and mention.shown >= step * 100:
            step *= 10
    return step / 2


def _magnitude(fact: Fact) -> Decimal:
    return abs(fact.number) if fact.number is not None else Decimal(0)


def _as_number(mention: DateMention) -> NumberMention:
    return NumberMention(
        start=mention.start,
        end=mention.end,
        text=mention.text,
        shown=Decimal(mention.year),
        step=Decimal(1),
        sign=0,
        unit="",
        digits=4,
        window=False,
        approximate=False,
    )


def _is_date(mention: DateMention) -> bool:
    try:
        date(mention.year, mention.month, mention.day)
    except ValueError:
        return False
    return True


def _group(
    facts: list[Fact], key: Callable[[date], tuple[int, ...]]
) -> dict[tuple[int, ...], list[Fact]]:
    groups: dict[tuple[int, ...], list[Fact]] = {}
    for fact in facts:
        if fact.day is not None:
            groups.setdefault(key(fact.day), []).append(fact)
    return groups
