"""Are two headlines the same story? By the words they share, and in which order. Pure.

Agencies, papers and posts repeat one another with a word changed. Counting each copy would let the
loudest story speak ten times.
"""

import hashlib
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Generic, TypeVar

import msgspec

from tools.analytics.sentiment_words import DOWNWARD, NEGATIONS, UPWARD

SAME_STORY = 0.6
"""At this likeness two headlines tell one story."""
WITHIN_HOURS = 48
"""Later than this a like headline is news again: the same thing happened twice."""
_TURNING = NEGATIONS | {
    "denies",
    "denied",
    "deny",
    "rejects",
    "rejected",
    "beats",
    "misses",
    "ends",
}
"""Texts that differ in one of these say different things, however alike they are."""
_FUNCTION_WORDS = """
    a an the of to in on at by for from with as and or is are was were be been have has had it
    its this that says said say will would
    """
_SILENT = frozenset(_FUNCTION_WORDS.split())
_WORD = re.compile(r"\w+(?:['.,]\w+)*")
_FEWEST = 3
"""With fewer words than this only an equal text is the same story."""

Id = TypeVar("Id")


class Shingles(msgspec.Struct, frozen=True):
    """What a text is compared by."""

    words: frozenset[str]
    """Its telling words, and each two that follow one another."""
    sense: tuple[frozenset[str], bool, bool]
    """What must be equal: negations, and whether something went up or down."""


def shingles(text: str) -> Shingles:
    """Return the telling words of a text and each two that follow one another."""
    telling = [_stem(word) for word in _words(text) if word not in _SILENT]
    pairs = {f"{one} {other}" for one, other in pairwise(telling)}
    words = frozenset(telling) | pairs
    return Shingles(words, (words & _TURNS, bool(words & _UP), bool(words & _DOWN)))


def likeness(one: Shingles, other: Shingles) -> float:
    """Return from 0 to 1 how much two texts share: the Dice coefficient of their shingles."""
    if not one.words or not other.words or one.sense != other.sense:
        return 0.0
    if min(len(one.words), len(other.words)) < 2 * _FEWEST - 1:
        return float(one.words == other.words)
    return 2.0 * len(one.words & other.words) / (len(one.words) + len(other.words))


class Stories(Generic[Id]):
    """First tellings, found by their words."""

    def __init__(self) -> None:
        self._told: list[tuple[Id, Shingles, datetime]] = []
        self._by_word: dict[str, list[int]] = {}

    def add(self, id: Id, text: str, at: datetime) -> None:
        """Take up one first telling."""
        said = shingles(text)
        for word in said.words:
            self._by_word.setdefault(word, []).append(len(self._told))
        self._told.append((id, said, at))

    def find(self, text: str, at: datetime) -> Id | None:
        """Return the story that a text published at that time tells again."""
        same = [(like, place) for place, like in self._alike(text, at) if like >= SAME_STORY]
        return self._told[max(same)[1]][0] if same else None

    def alike(self, text: str, at: datetime) -> list[tuple[float, datetime]]:
        """Return how like a text each story of those hours is that shares a word, and its time."""
        return [(like, self._told[place][2]) for place, like in self._alike(text, at)]

    def _alike(self, text: str, at: datetime) -> list[tuple[int, float]]:
        said = shingles(text)
        shared = {place for word in said.words for place in self._by_word.get(word, ())}
        return [
            (place, likeness(said, self._told[place][1]))
            for place in shared
            if abs(at - self._told[place][2]) <= timedelta(hours=WITHIN_HOURS)
        ]


def fingerprint(*parts: str) -> str:
    """Return one name for everything that reads the same but for case, spaces and stops."""
    plain = "\x1f".join(" ".join(_words(part)) or part.strip() for part in parts)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def _words(text: str) -> list[str]:
    """Return words and numbers in small letters, without possessives."""
    plain = text.lower().replace("\u2019", "'")
    return [found.removesuffix("'s") for found in _WORD.findall(plain)]


def _stem(word: str) -> str:
    """Return a word without a plural's or a third person's end: beats and beat are one."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


_TURNS = frozenset(_stem(word) for word in _TURNING)
_UP = frozenset(_stem(word) for word in UPWARD)
_DOWN = frozenset(_stem(word) for word in DOWNWARD)
