"""Who says how a text sounds: one protocol, and the scorer that needs nothing.

A trained model of the prediction engine, a local FinBERT or an LLM fit the same protocol.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tools.analytics import sentiment
from tools.analytics.sentiment import Sentiment

UNKNOWN = Sentiment(1 / 3, 1 / 3, 1 / 3)
"""Nothing can be said: no label, score 0."""


class Text(msgspec.Struct, frozen=True):
    """What is scored."""

    text: str
    language: str = "en"


class ScoringFailed(Exception):
    """A scorer could not do its work; the message says why, for a person."""


class Scorer(Protocol):
    """Says how texts sound."""

    @property
    def name(self) -> str:
        """Which scorer and version; stored with every score."""
        ...

    async def score(self, texts: Sequence[Text]) -> list[Sentiment]:
        """Return one sentiment per text, in their order.

        Raises:
            ScoringFailed: with a reason for a person.
        """
        ...


class HenryRules:
    """The word list of Henry (2008) in rules: keyless, instant, English only."""

    name = f"{sentiment.SCORER}/{sentiment.VERSION}"

    async def score(self, texts: Sequence[Text]) -> list[Sentiment]:
        """Return what the rules find; nothing is claimed about other languages."""
        return [
            sentiment.score(one.text) if one.language.lower().startswith("en") else UNKNOWN
            for one in texts
        ]
