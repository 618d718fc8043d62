"""What stands around a number in an answer: its sentence, its table cell, whose number it is."""

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import pairwise

import msgspec

from agents.claims.words import ideas_of, word_set

_WORD = re.compile(r"[^\W\d_]+[0-9]{0,4}|(?<![0-9.,])[0-9]{1,4}(?![0-9.,]*[0-9])")
_SENTENCE_END = re.compile(r"[.!?](?=[\s\"”’)*_¹²³⁴⁵⁶⁷⁸⁹⁰]|\Z)|\n+|(?<=\s)[•·](?=\s)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:vs|approx|ca|avg|e\.g|i\.e|no|inc|corp|co|st|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()—]|\s–\s|\b(?:and|but|while|whereas|against|versus|vs|with)\b")
_JOINED = re.compile(r"\s*(?:,|/|&|and|or|vs\.?|versus|against|,\s*and|[’']s|\*\*|with|to)*\s*")
_OF_AFTER = re.compile(r"[\s%*)]*(?:a share |a day )?(?:for|in|of|at|on|by)[\s*$]*$")
REACH = 28
"""Words on either side that may speak of a number."""

DOWN = word_set(
    """
    fell fallen fall falls falling down lost lose loses losing dropped drop drops dropping
    declined decline declines declining below under lower minus negative slipped slip shed slid
    slide loss losses less drawdown worse worst off retreated tumbled sank sunk decreased
    decrease weaker short behind underperformed trailed trails lags lagged downward decreasing
    downtrend
    """
)
UP = word_set(
    """
    rose risen rise rises rising up gained gain gains climbed climb higher above advanced added
    plus positive jumped grew increased increase over ahead stronger outperformed best rallied
    upward uptrend
    """
)
DOWN_VERBS = word_set(
    """
    fell fallen falls falling down lost loses losing dropped drops declined declines slipped
    minus negative tumbled sank retreated shed slid
    """
)


class Surroundings(msgspec.Struct, frozen=True):
    """The words near one mention."""

    nearness: dict[str, float]
    """Idea -> how near it is said, at most 1."""
    down_before: bool
    """A word of falling governs it directly ("fell 3 %")."""
    direction: int
    """Which way the nearest word of direction points; 0 when there is none."""
    symbols: frozenset[str]
    """Whose number it is; empty when nobody is named."""
    symbols_certain: bool
    """Named in the same sentence, not carried over from an earlier one."""
    percent_said: bool
    """Another number of the sentence is written with a percent sign."""
    sentence: tuple[int, int]


class Reader:
    """Reads around any place of one text; every look costs a bounded number of steps."""

    def __init__(self, text: str, symbols: dict[str, str]) -> None:
        """`symbols` maps what an instrument may be called in the text to its symbol."""
        self._text = text
        self._names = symbols
        words = [(found.start(), found.group()) for found in _WORD.finditer(text)]
        self._starts = [start for start, _ in words]
        self._words = [word.lower() for _, word in words]
        self._ends = [start + len(word) for start, word in words]
        self._breaks = [0, *self._sentence_breaks(), len(text) + 1]
        self._clauses = [found.start() for found in _CLAUSE.finditer(text)]
        self._clause_of = [bisect_left(self._clauses, start) for start in self._starts]
        self._lines = [found.start() for found in re.finditer("\n", text)]
        self._percents = [found.start() for found in re.finditer(r"%|\bper ?cent\b", text)]
        self._said = [
            (start, start + len(word), symbols[word]) for start, word in words if word in symbols
        ]
        self._said_starts = [start for start, _, _ in self._said]

    def around(self, start: int, end: int) -> Surroundings:
        """Return what is said around the characters from `start` to `end`."""
        row = self._row_of(start)
        if row is not None:
            return self._in_table(start, end, row)
        place = bisect_right(self._breaks, start) - 1
        left, right = self._breaks[place], self._breaks[place + 1]
        symbols, certain = self._symbols(start, end, left, right)
        down_before, direction = self._direction(start, end, left, right)
        return Surroundings(
            nearness=self._nearness(start, end, left, right),
            down_before=down_before,
            direction=direction,
            symbols=symbols,
            symbols_certain=certain,
            percent_said=_any_between(self._percents, left, right),
            sentence=(left, right),
        )

    def line_of(self, start: int) -> int:
        """Return which line of the text `start` stands in."""
        return bisect_right(self._lines, start)

    def words_before(self, start: int) -> frozenset[str]:
        """Return the words of the same sentence, or table row, that lead up to `start`."""
        row = self._row_of(start)
        left = row.start if row is not None else self._breaks[bisect_right(self._breaks, start) - 1]
        before, _ = self._near_words(start, start, left, start)
        return frozenset(self._words[index] for index in before)

    def _sentence_breaks(self) -> list[int]:
        return [
            found.end()
            for found in _SENTENCE_END.finditer(self._text)
            if not _ABBREVIATION.search(self._text[max(0, found.start() - 8) : found.start()])
        ]

    def _near_words(self, start: int, end: int, left: int, right: int) -> tuple[range, range]:
        """Return the indexes of words before (nearest first) and after the mention."""
        before = bisect_right(self._ends, start)
        after = bisect_left(self._starts, end)
        first = max(bisect_left(self._starts, left), before - REACH)
        last = min(bisect_left(self._starts, right), after + REACH)
        return range(before - 1, first - 1, -1), range(after, max(last, after))

    def _nearness(self, start: int, end: int, left: int, right: int) -> dict[str, float]:
        near: dict[str, float] = {}
        here = bisect_left(self._clauses, start)
        before, after = self._near_words(start, end, left, right)
        for words, factor in ((before, 1.0), (after, 0.8)):
            for distance, index in enumerate(words):
                crossed = abs(self._clause_of[index] - here)
                nearness = factor * 0.65 ** min(crossed, 4) / (1 + distance / 4)
                for idea in ideas_of(self._words[index]):
                    if nearness > near.get(idea, 0.0):
                        near[idea] = nearness
        return near

    def _direction(self, start: int, end: int, left: int, right: int) -> tuple[bool, int]:
        before, after = self._near_words(start, end, left, right)
        governed = any(self._words[index] in DOWN_VERBS for index in list(before)[:2])
        best, direction = 99.0, 0
        for words, factor, reach in ((before, 1.0, 7), (after, 1.5, 4)):
            for distance, index in enumerate(list(words)[:reach]):
                word = self._words[index]
                if word not in DOWN and word not in UP:
                    continue
                if distance * factor < best:
                    best, direction = distance * factor, (-1 if word in DOWN else 1)
        return governed, direction

    def _symbols(self, start: int, end: int, left: int, right: int) -> tuple[frozenset[str], bool]:
        """Return whose number stands at `start`, and whether the sentence itself says so."""
        following = bisect_left(self._said_starts, end)
        if following < len(self._said):
            place, _, symbol = self._said[following]
            if place < right and place - end <= 24 and _OF_AFTER.match(self._text[end:place]):
                return frozenset((symbol,)), True
        before = bisect_left(self._said_starts, start) - 1
        if before < 0:
            if following < len(self._said) and self._said[following][0] < right:
                return frozenset((self._said[following][2],)), True
            return frozenset(), False
        group = {self._said[before][2]}
        earliest = self._said[before][0]
        while before > 0 and len(group) < 12:
            previous_end = self._said[before - 1][1]
            between = self._text[previous_end:earliest]
            if len(between) > 24 or not _JOINED.fullmatch(between):
                break
            before -= 1
            earliest = self._said[before][0]
            group.add(self._said[before][2])
        if earliest < left and following < len(self._said) and self._said[following][0] < right:
            return frozenset((self._said[following][2],)), True
        return frozenset(group), earliest >= left

    # Tables -----------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> list["_Row"]:
        rows: list[_Row] = []
        header: list[str] = []
        position = 0
        for line in self._text.split("\n"):
            if line.lstrip().startswith("|") and line.count("|") >= 2:
                pipes = [position + found.start() for found in re.finditer(r"\|", line)]
                if not header:
                    header = [self._text[a + 1 : b] for a, b in pairwise(pipes)][:64]
                rows.append(_Row(position, position + len(line), pipes, header))
            else:
                header = []
            position += len(line) + 1
        return rows

    @cached_property
    def _row_starts(self) -> list[int]:
        return [row.start for row in self._rows]

    def _row_of(self, start: int) -> "_Row | None":
        index = bisect_right(self._row_starts, start) - 1
        if index < 0:
            return None
        row = self._rows[index]
        return row if row.start <= start < row.end else None

    def _in_table(self, start: int, end: int, row: "_Row") -> Surroundings:
        """In a table a number belongs to the first cell of its row and the head of its column."""
        column = bisect_right(row.pipes, start) - 1
        head = row.header[column] if 0 <= column < len(row.header) else ""
        first = self._text[row.pipes[0] + 1 : row.pipes[1]] if len(row.pipes) > 1 else ""
        left = row.pipes[column] if column >= 0 else row.start
        right = row.pipes[column + 1] if column + 1 < len(row.pipes) else row.end
        near = self._nearness(start, end, left, right)
        symbols: set[str] = set()
        for cell in (first[:200], head[:200]):
            for found in _WORD.finditer(cell):
                word = found.group()
                if word in self._names:
                    symbols.add(self._names[word])
                for idea in ideas_of(word.lower()):
                    near[idea] = max(near.get(idea, 0.0), 0.9)
        down_before, direction = self._direction(start, end, left, right)
        certain = bool(symbols)
        if not symbols:
            before = bisect_left(self._said_starts, row.start) - 1
            symbols = {self._said[before][2]} if before >= 0 else set()
        return Surroundings(
            nearness=near,
            down_before=down_before,
            direction=direction,
            symbols=frozenset(symbols),
            symbols_certain=certain,
            percent_said="%" in head or "%" in first,
            sentence=(row.start, row.end),
        )


class _Row(msgspec.Struct, frozen=True):
    start: int
    end: int
    pipes: list[int]
    header: list[str]


def _any_between(sorted_places: list[int], left: int, right: int) -> bool:
    index = bisect_left(sorted_places, left)
    return index < len(sorted_places) and sorted_places[index] < right
