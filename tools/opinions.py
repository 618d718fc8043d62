"""What news and reports say beside the prices when a bar closes: shown, and never counted.

Both vote with weight 0 (`tools.analytics.composite.WEIGHTS`), because nobody has measured that they
help. Only what was published, and known here, by the close of the bar is seen.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tools.analytics import composite, sentiment_summary
from tools.analytics import fundamentals as ratios
from tools.analytics.composite import Vote
from tools.analytics.sentiment_summary import WINDOW, Summary
from tools.cards import stamp
from tools.fundamentals import seed_shape
from tools.market.bars import Bars
from tools.market.fundamentals import StatementStore, price_of
from tools.market.instruments import Instrument
from tools.market.mood import SYNTHETIC, no_keywords
from tools.market.news import NewsStore
from tools.market.quoting import quotable

MOST_SOURCES, MOST_KEYWORDS, MOST_TOPICS = 5, 8, 5
NO_WEIGHT = (
    "{} weight 0 in the strength, because no edge was measured: shown here and counted in nothing."
)


class Opinions(msgspec.Struct, frozen=True, kw_only=True):
    """What was said outside the prices; nothing where nothing is stored."""

    sentiment: dict[str, Any] | None = None
    """The data model's SentimentAnalysis."""
    fundamentals: dict[str, Any] | None = None
    """The data model's FundamentalAnalysis."""
    votes: tuple[Vote, ...] = ()
    currency: str | None = None
    """That of the statements."""
    notes: tuple[str, ...] = ()
    """What must be said beside them."""


NONE = Opinions()


class OpinionBook:
    """Reads opinions from wherever news and statements are kept."""

    def __init__(self, news: NewsStore | None, statements: StatementStore | None) -> None:
        self._news = news
        self._statements = statements

    async def at_close(self, instrument: Instrument, bars: Bars) -> Opinions:
        """Return what was known when the last of `bars` closed; they are as stored."""
        moment = datetime.fromtimestamp(int(bars.slice(len(bars) - 1).ends().astype(int)[0]), UTC)
        sounds, synthetic = await self._sounds(instrument, moment)
        found = await self._reported(instrument, bars, moment)
        votes, shown = [], []
        if sounds is not None:
            shown.append("News sentiment")
            votes.append(
                composite.opinion(
                    "News sentiment",
                    value=sounds.score,
                    vote=sentiment_summary.vote(sounds.score),
                )
            )
        if found is not None:
            shown.append("Fundamentals")
            vote = ratios.vote(found)
            if vote is not None:
                votes.append(composite.opinion("Fundamentals", value=vote, vote=vote))
        notes = []
        if shown:
            has = "has" if shown == ["News sentiment"] else "have"
            notes.append(NO_WEIGHT.format(f"{' and '.join(shown)} {has}"))
        if synthetic:
            notes.append(SYNTHETIC)
        return Opinions(
            sentiment=None if sounds is None else _sentiment(sounds),
            fundamentals=None if found is None else seed_shape(found),
            votes=tuple(votes),
            currency=None if found is None else found.currency,
            notes=tuple(notes),
        )

    async def at_closes(
        self, instrument: Instrument, bars: Bars, chosen: Sequence[int]
    ) -> dict[int, Opinions]:
        """Return the same for the `chosen` ones of `bars`, each as if it were the last."""
        return {bar: await self.at_close(instrument, bars.slice(0, bar + 1)) for bar in chosen}

    async def _sounds(
        self, instrument: Instrument, moment: datetime
    ) -> tuple[Summary | None, bool]:
        """Return how the news of the days before sounds, and whether any of it was invented."""
        if self._news is None:
            return None, False
        items = await self._news.read(
            symbol=instrument.symbol, since=moment - WINDOW, until=moment, known_by=moment
        )
        if not items:
            return None, False
        summary = await asyncio.to_thread(
            lambda: sentiment_summary.summarise(
                [item.reading() for item in items], at=moment, without=no_keywords(instrument)
            )
        )
        return summary, any(item.synthetic for item in items)

    async def _reported(
        self, instrument: Instrument, bars: Bars, moment: datetime
    ) -> ratios.Fundamentals | None:
        """Return what the statements published by then say at the last close."""
        if self._statements is None:
            return None
        told = await self._statements.read(instrument.symbol, published_by=moment)
        if not told:
            return None
        found = await asyncio.to_thread(
            lambda: ratios.analyse(told, at=moment, price=price_of(bars, instrument))
        )
        return None if found.period_end is None else found


def _sentiment(summary: Summary) -> dict[str, Any]:
    return {
        "score": summary.score,
        "sources": [
            {
                "type": one.type,
                "name": quotable(one.name),
                "score": one.score,
                "weight": one.weight,
                "timestamp": stamp(one.timestamp),
            }
            for one in summary.sources[:MOST_SOURCES]
        ],
        "keywords": list(summary.keywords[:MOST_KEYWORDS]),
        "topics": list(summary.topics[:MOST_TOPICS]),
    }
