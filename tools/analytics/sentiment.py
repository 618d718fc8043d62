"""Does a text say something good or bad about its subject? Rules over a word list, no model.

VADER-style rules (Hutto and Gilbert 2014), written anew for market text: a word list, negation,
degree, "but", and one rule of finance: whether "fell" is good depends on what fell. The sum is
turned into label probabilities by a map fitted on sentences the rules had not seen
(`tests/golden/sentiment`). What it cannot do is measured in `docs/news.md`: it knows no irony, no
context and no other language than English.

Pure: text in, numbers out. The text is read as data and never followed.
"""

import math
import re
import unicodedata
from typing import Literal

import msgspec

from tools.analytics import sentiment_words as known

SCORER = "henry-rules"
VERSION = "1"

Label = Literal["positive", "neutral", "negative"]

LONGEST = 2_000
"""Characters read; what a text is about is said before that."""
ABSTAINS_BELOW = 0.6
"""Below this probability of the likeliest label the scorer says that it does not know."""
_REACH = 4
"""Words between a direction and what it is the direction of."""
_NEGATION_REACH = 4
_NEGATED = -0.75
_BOOSTED, _DAMPED = 1.3, 0.6
_BEFORE_BUT, _AFTER_BUT, _CONCEDED = 0.5, 1.4, 0.4
_BETTER_THAN_FEARED = 1.5
_SPREAD = 2.0
"""How much a sum must be to count as clear: it is squeezed by x / sqrt(x² + spread)."""

# P(positive) = 1 / (1 + exp(-(SLOPE * x - THRESHOLD))), P(negative) the same of -x; neutral is the
# rest. One threshold for both, so that a text without a telling word scores 0. Fitted by maximum
# likelihood on calibration.tsv, with a weak prior (mean 5, deviation 2) on the slope, because there
# are only 50 sentences.
SLOPE = 7.0
THRESHOLD = 2.2

_TOKEN = re.compile(r"[a-z0-9$€£%]+(?:['.][a-z0-9]+)*|[,;:.!?()]")


class Sentiment(msgspec.Struct, frozen=True):
    """What one text says, with how sure the scorer is."""

    positive: float
    neutral: float
    negative: float
    """Probabilities; their sum is 1."""
    words: tuple[str, ...] = ()
    """The words that decided, strongest first."""

    @property
    def score(self) -> float:
        """From −1 to 1: the probability of good minus that of bad."""
        return self.positive - self.negative

    @property
    def label(self) -> Label:
        """The likeliest label."""
        best = max(self.positive, self.neutral, self.negative)
        if best == self.neutral:
            return "neutral"
        return "positive" if best == self.positive else "negative"

    @property
    def confidence(self) -> float:
        """The probability of that label."""
        return max(self.positive, self.neutral, self.negative)

    @property
    def abstains(self) -> bool:
        """Whether no label is likely enough to be called one."""
        return self.confidence < ABSTAINS_BELOW


def score(text: str) -> Sentiment:
    """Return what `text` says."""
    found = _valences(tokens(text))
    total = sum(found.values())
    decided = sorted(found, key=lambda place: -abs(found[place]))
    words = tuple(dict.fromkeys(place[1] for place in decided if found[place]))
    return calibrated(total / math.sqrt(total * total + _SPREAD), words[:5])


def calibrated(strength: float, words: tuple[str, ...] = ()) -> Sentiment:
    """Return the probabilities of a squeezed sum from −1 to 1."""
    positive = 1.0 / (1.0 + math.exp(-(SLOPE * strength - THRESHOLD)))
    negative = 1.0 / (1.0 + math.exp(-(-SLOPE * strength - THRESHOLD)))
    both = positive + negative
    if both > 1.0:
        positive, negative = positive / both, negative / both
    return Sentiment(positive, max(0.0, 1.0 - positive - negative), negative, words)


def strength(text: str) -> float:
    """Return the squeezed sum that `calibrated` turns into probabilities."""
    total = sum(_valences(tokens(text)).values())
    return total / math.sqrt(total * total + _SPREAD)


def tokens(text: str) -> list[str]:
    """Return the words and stops of a text in small letters, compatibility forms folded."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).lower().replace("’", "'")
    return _TOKEN.findall(plain.replace("-", " "))


Found = dict[tuple[int, str], float]
"""Place and words -> what they add to the sum."""


def _valences(said: list[str]) -> Found:
    found: Found = {}
    taken: set[int] = set()
    for place, phrase, value in _phrases(said):
        length = phrase.count(" ") + 1
        taken.update(range(place, place + length))
        if value:
            found[place, phrase] = value * _turned(said, place)
    for place, end in _fears(said):
        # Whatever was smaller, lower or milder than feared is good news, and all of it is said.
        taken.update(range(place, end + 1))
        found[place, " ".join(said[place : end + 1])] = _BETTER_THAN_FEARED
    for place, word in enumerate(said):
        if place in taken:
            continue
        value = _value(said, place, word)
        if value:
            found[place, word] = value * _turned(said, place) * _degree(said, place)
    return found


def _phrases(said: list[str]) -> list[tuple[int, str, float]]:
    """Return the phrases in the text, the longest first to match at each place."""
    found = []
    place = 0
    while place < len(said):
        for length in (4, 3, 2):
            phrase = " ".join(said[place : place + length])
            if phrase in known.PHRASES:
                found.append((place, phrase, known.PHRASES[phrase]))
                place += length
                break
        else:
            place += 1
    return found


def _fears(said: list[str]) -> list[tuple[int, int]]:
    """Return where "smaller than the market had feared" begins and ends."""
    found = []
    for end, word in enumerate(said):
        if word not in {"feared", "fears"}:
            continue
        for start in range(end - 1, max(-1, end - 7), -1):
            if said[start] == "than":
                found.append((max(0, start - 1), end))
                break
    return found


def _value(said: list[str], place: int, word: str) -> float:
    """Return what one word is worth where it stands, before negation and degree."""
    if word in known.UPWARD or word in known.DOWNWARD:
        return _direction(said, place, word)
    if word in known.NEWS:
        return known.NEWS[word]
    if word in known.HENRY_POSITIVE:
        return 0.5 if word in known.FAINT else 1.0
    if word in known.HENRY_NEGATIVE:
        return -0.5 if word in known.FAINT else -1.0
    return 0.0


def _direction(said: list[str], place: int, word: str) -> float:
    """Return whether a movement is good: falling costs are, falling sales are not."""
    side = 1.0 if word in known.UPWARD else -1.0
    thing = _moved(said, place)
    if thing is None:
        listed = word in known.HENRY_POSITIVE or word in known.HENRY_NEGATIVE or word in known.NEWS
        # A direction of nothing known says little: "cut", "double", "adds" say nothing.
        return (0.5 if word in known.FAINT else 0.9) * side if listed else 0.0
    return side * thing * (0.8 if word in known.FAINT else 1.0)


def _moved(said: list[str], place: int) -> float | None:
    """Return 1 for a thing one wants more of, −1 for one wants less of, None when none is near."""
    for distance in range(1, _REACH + 1):
        for near in (place - distance, place + distance):
            if not 0 <= near < len(said) or _parted(said, place, near):
                continue
            if said[near] in known.BAD_THINGS:
                return -1.0
            if said[near] in known.GOOD_THINGS:
                return 1.0
    return None


def _parted(said: list[str], one: int, other: int) -> bool:
    """Tell whether a stop or a turn stands between two places."""
    between = said[min(one, other) + 1 : max(one, other)]
    return any(word in ",;:.!?()" or word in known.TURNS for word in between)


def _turned(said: list[str], place: int) -> float:
    """Return by what negation and the course of the sentence change a value."""
    factor = 1.0
    for back in range(1, _NEGATION_REACH + 1):
        near = place - back
        if near < 0 or said[near] in ",;:.!?()" or said[near] in known.TURNS:
            break
        if said[near] in known.NEGATIONS:
            factor = _NEGATED
            break
    if any(word in known.TURNS for word in said):
        last = max(i for i, word in enumerate(said) if word in known.TURNS)
        factor *= _BEFORE_BUT if place < last else _AFTER_BUT
    if _conceded(said, place):
        factor *= _CONCEDED
    return factor


def _conceded(said: list[str], place: int) -> bool:
    """Tell whether "although ..." governs this place."""
    for near in range(place - 1, -1, -1):
        if said[near] in ",;.!?":
            return False
        if said[near] in known.CONCESSIONS:
            return True
    return False


def _degree(said: list[str], place: int) -> float:
    factor = 1.0
    for near in (place - 2, place - 1, place + 1):
        if 0 <= near < len(said):
            if said[near] in known.BOOSTERS:
                factor = max(factor, _BOOSTED)
            elif said[near] in known.DAMPENERS:
                factor = min(factor, _DAMPED)
    return factor
