"""How news about one symbol sounds at a moment: one number, with everything it was made of. Pure.

For each story w = weight of its kind of source x 0.5^(age / half-life) x novelty; the score is the
weighted mean of P(positive) - P(negative), drawn to 0 by n / (n + 5), because five headlines are no
mood. Weights and half-lives are judgements, not measurements: nothing here predicts a price.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from tools.analytics.near_duplicates import SAME_STORY, Stories
from tools.analytics.topics import common_topics, keywords

SourceType = Literal["news", "social", "analyst"]


class Kind(msgspec.Struct, frozen=True):
    """How much one kind of source counts, and how fast it is forgotten."""

    weight: float
    half_life: timedelta


KINDS: dict[str, Kind] = {
    "news": Kind(1.0, timedelta(days=3)),
    "analyst": Kind(0.8, timedelta(days=7)),
    "social": Kind(0.4, timedelta(days=1)),
}
WINDOW = timedelta(days=30)
"""Older items weigh nothing and are not even looked at."""
SHRINKS_BY = 5
"""Stories it takes for the score to keep half of its size."""
NEUTRAL_BELOW = 0.1
"""A score nearer to 0 than this is called neutral."""
_NOVELTY_HOURS = 24
_EVIDENCE = 3


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One scored item, as far as its sound matters."""

    id: str
    type: SourceType
    source_name: str
    title: str
    published_at: datetime
    known_at: datetime
    score: float
    label: str
    topics: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True):
    """One source's share."""

    type: SourceType
    name: str
    score: float
    weight: float
    """Share of all weight, 0 to 1."""
    timestamp: datetime
    """Of its newest item."""
    items: int


class Summary(msgspec.Struct, frozen=True):
    """How the news sounds."""

    score: float
    """−1 to 1, drawn to 0 where there is little."""
    mean: float
    """Before that."""
    n: int
    """Stories; copies of one count once."""
    items: int
    """Items, copies included."""
    disagreement: float
    """0: all say the same; 1: positive, neutral and negative in equal parts."""
    sources: tuple[Source, ...]
    keywords: tuple[str, ...]
    topics: tuple[str, ...]
    evidence: tuple[Reading, ...]
    """The items that moved the score most."""
    newest: datetime | None

    @property
    def label(self) -> Literal["positive", "neutral", "negative"]:
        if abs(self.score) < NEUTRAL_BELOW:
            return "neutral"
        return "positive" if self.score > 0 else "negative"


def visible(
    readings: Sequence[Reading], *, at: datetime, known_by: datetime | None = None
) -> list[Reading]:
    """Return what had been published at a moment, and was known at it (or later), newest first."""
    known = at if known_by is None else known_by
    seen = [
        one
        for one in readings
        if one.published_at <= at and one.known_at <= known and one.published_at > at - WINDOW
    ]
    return sorted(seen, key=lambda one: (one.published_at, one.id), reverse=True)


def summarise(
    readings: Sequence[Reading],
    *,
    at: datetime,
    known_by: datetime | None = None,
    without: Sequence[str] = (),
) -> Summary:
    """Return how everything visible at a moment sounds; `without`: names that are no keywords."""
    seen = visible(readings, at=at, known_by=known_by)
    stories = _stories(seen)
    weights = [_weight(one, at) * novelty for one, novelty in stories]
    total = sum(weights)
    mean = sum(w * one.score for w, (one, _) in zip(weights, stories, strict=True))
    mean = mean / total if total else 0.0
    n = len(stories)
    told = [one for one, _ in stories]
    ranked = sorted(zip(weights, told, strict=True), key=lambda pair: -abs(pair[0] * pair[1].score))
    return Summary(
        score=mean * n / (n + SHRINKS_BY),
        mean=mean,
        n=n,
        items=len(seen),
        disagreement=_disagreement(told, weights),
        sources=_sources(told, weights),
        keywords=keywords([one.title for one in told], without=without),
        topics=common_topics(one.topics for one in told),
        evidence=tuple(one for weight, one in ranked[:_EVIDENCE] if weight * one.score),
        newest=seen[0].published_at if seen else None,
    )


def vote(score: float) -> float:
    """Return the vote of a sentiment score in a composite: −1 to 1, full from ±0.5 on.

    Its weight there is 0 until it is measured that it adds anything.
    """
    return max(-1.0, min(1.0, score / 0.5))


def _stories(seen: Sequence[Reading]) -> list[tuple[Reading, float]]:
    """Return each story once, by its earliest visible item, with how new it was: 0 to 1.

    Which copy came first is decided among what is visible: what becomes known later must not
    change what was said before.
    """
    told: list[tuple[Reading, float]] = []
    stories: Stories[str] = Stories()
    for one in sorted(seen, key=lambda one: (one.published_at, one.id)):
        alike = stories.alike(one.title, one.published_at)
        if any(like >= SAME_STORY for like, _ in alike):
            continue
        recent = one.published_at - timedelta(hours=_NOVELTY_HOURS)
        likest = max((like for like, at in alike if at >= recent), default=0.0)
        stories.add(one.id, one.title, one.published_at)
        told.append((one, 1.0 - likest))
    return told


def _weight(one: Reading, at: datetime) -> float:
    kind = KINDS[one.type]
    return float(kind.weight * 0.5 ** ((at - one.published_at) / kind.half_life))


def _disagreement(told: Sequence[Reading], weights: Sequence[float]) -> float:
    """Return the entropy of the labels, by weight, as a share of the most there can be."""
    total = sum(weights)
    if not total:
        return 0.0
    shares: dict[str, float] = {}
    for one, weight in zip(told, weights, strict=True):
        shares[one.label] = shares.get(one.label, 0.0) + weight / total
    entropy = -sum(share * math.log(share) for share in shares.values() if share > 0)
    return max(0.0, entropy / math.log(3))


def _sources(told: Sequence[Reading], weights: Sequence[float]) -> tuple[Source, ...]:
    total = sum(weights)
    grouped: dict[tuple[SourceType, str], list[tuple[Reading, float]]] = {}
    for one, weight in zip(told, weights, strict=True):
        grouped.setdefault((one.type, one.source_name), []).append((one, weight))
    sources = []
    for (kind, name), members in grouped.items():
        weight = sum(w for _, w in members)
        mean = sum(w * one.score for one, w in members) / weight if weight else 0.0
        sources.append(
            Source(
                type=kind,
                name=name,
                score=mean,
                weight=weight / total if total else 0.0,
                timestamp=max(one.published_at for one, _ in members),
                items=len(members),
            )
        )
    return tuple(sorted(sources, key=lambda source: (-source.weight, source.name)))
