"""News comes in by one way, whatever brings it; and is listed, and summed up.

REST, files and streams call `NewsIntake.take`. It refuses what cannot be believed and says why,
links each item to instruments, scores it, and knows a story that was told before.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from app.domain.errors import Invalid, NotFound, TooLarge, Unavailable
from app.domain.ids import new_id
from app.services.news.news_checks import MAX_ITEMS, NewItem, RefusedItem, check_items
from app.services.paging import Page, checked_limit, cut, decode_cursor
from tools.analytics import near_duplicates, topics
from tools.analytics.near_duplicates import WITHIN_HOURS, Stories
from tools.analytics.sentiment import Sentiment
from tools.analytics.sentiment_summary import SourceType
from tools.errors import UnknownSymbol
from tools.market.instruments import Instrument
from tools.market.mood import Mood, read_mood
from tools.market.news import NewsItem, NewsStore
from tools.market.quoting import quotable
from tools.market.scorer import Scorer, ScoringFailed, Text
from tools.market.store import InstrumentStore
from tools.market.symbols import Naming, nearest


class NewsTaken(msgspec.Struct, frozen=True, rename="camel"):
    """What became of offered items."""

    accepted: int
    """Stored by this call."""
    refused: list[RefusedItem]
    already_known: int = 0
    """There before: the same source, words and time."""
    repeats: int = 0
    """Stored as a further telling of a story; such tellings count once together."""
    unknown_symbols: list[str] = []
    """Tagged, kept, but no instrument of that symbol is known here."""


class NewsIntake:
    """The one way in."""

    def __init__(
        self,
        instruments: InstrumentStore,
        news: NewsStore,
        scorer: Scorer,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._news = news
        self._scorer = scorer
        self._clock = clock

    async def take(
        self, items: Sequence[msgspec.Raw], *, backfill: bool = False, dry_run: bool = False
    ) -> NewsTaken:
        """Store the items that can be taken and say why the others were refused.

        `backfill`: an item that says not when it was known counts as known when it was published,
        which is right for an archive and wrong for a feed. A dry run judges every item and stores
        none; it does not look which are known already.

        Raises:
            Invalid: there are no items.
            TooLarge: there are too many.
            ScoringFailed: nothing was stored.
        """
        if not items:
            raise Invalid("`items` is empty.")
        if len(items) > MAX_ITEMS:
            raise TooLarge(f"`items` may have {MAX_ITEMS:,} entries; it has {len(items):,}.")
        taken, refused = check_items(items, now=self._clock(), backfill=backfill)
        if not taken:
            return NewsTaken(accepted=0, refused=refused)
        found = await self._scorer.score([Text(one.title, one.language) for one in taken])
        instruments = await self._instruments.all()
        ready = await asyncio.to_thread(_prepared, taken, found, self._scorer.name, instruments)
        told = await self._told_again(ready)
        every = {item.fingerprint for item in told}
        stored = every if dry_run else await self._news.add(told)
        known = {instrument.symbol.upper() for instrument in instruments}
        return NewsTaken(
            accepted=len(stored),
            refused=refused,
            already_known=len(told) - len(stored),
            repeats=sum(i.duplicate_of is not None for i in told if i.fingerprint in stored),
            unknown_symbols=sorted({s for one in taken for s in one.symbols} - known),
        )

    async def _told_again(self, items: Sequence[NewsItem]) -> list[NewsItem]:
        """Return the items, oldest first, those that repeat a story linked to its first telling."""
        ordered = sorted(items, key=lambda item: (item.published_at, item.fingerprint))
        around = timedelta(hours=WITHIN_HOURS)
        stories: Stories[UUID] = Stories()
        for id, title, at in await self._news.near(
            since=ordered[0].published_at - around,
            until=ordered[-1].published_at + around,
            symbols=sorted({symbol for item in ordered for symbol in item.symbols}),
        ):
            stories.add(id, title, at)
        told = []
        for item in ordered:
            first = stories.find(item.title, item.published_at)
            if first is None:
                stories.add(item.id, item.title, item.published_at)
            told.append(msgspec.structs.replace(item, duplicate_of=first))
        return told


class NewsView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One item as a client shows it. `title` is text of a stranger: show it as plain text."""

    id: UUID
    type: SourceType
    source_name: str
    title: str
    url: str | None
    published_at: datetime
    known_at: datetime
    symbols: list[str]
    score: float
    label: str
    abstained: bool
    """The scorer was not sure enough of any label."""
    probabilities: dict[str, float]
    scorer: str
    keywords: list[str]
    topics: list[str]
    synthetic: bool
    duplicate_of: UUID | None


class SourceView(msgspec.Struct, frozen=True):
    """One source's share in a sentiment."""

    type: SourceType
    name: str
    score: float
    weight: float
    timestamp: datetime


class SentimentView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The data model's SentimentAnalysis, and how much stands behind it."""

    symbol: str
    score: float
    sources: list[SourceView]
    keywords: list[str]
    topics: list[str]
    n: int
    disagreement: float
    as_of: datetime | None
    synthetic: int
    """How many of the stories were invented for a demonstration."""
    notes: list[str]


class News:
    """What clients do with news."""

    def __init__(
        self,
        instruments: InstrumentStore,
        news: NewsStore,
        intake: NewsIntake,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._news = news
        self._intake = intake
        self._clock = clock

    async def add(self, items: Sequence[msgspec.Raw]) -> NewsTaken:
        """Take items in.

        Raises:
            Invalid: there are no items.
            TooLarge: there are too many.
            Unavailable: the scorer failed; nothing was stored.
        """
        try:
            return await self._intake.take(items)
        except ScoringFailed as failed:
            raise Unavailable(str(failed), code="scorer_failed") from failed

    async def page(
        self, *, symbol: str | None, type: SourceType | None, cursor: str | None, limit: int
    ) -> Page[NewsView]:
        """Return items, newest first; of one symbol and type of source, if given.

        Raises:
            Invalid: the limit or the cursor cannot be used.
        """
        after = decode_cursor(cursor)
        found = await self._news.read(
            symbol=None if symbol is None else symbol.strip().upper(),
            type=type,
            until=self._clock(),
            after=after,
            limit=checked_limit(limit) + 1,
        )
        page = cut(found, limit, lambda item: (item.published_at, item.id))
        return Page([_view(item) for item in page.items], page.next_cursor)

    async def sentiment(self, symbol: str, *, at: date | None = None) -> SentimentView:
        """Return how the news on a symbol sounds, now or at the end of a day.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
        """
        instrument = await self._instruments.find(symbol.strip().upper())
        if instrument is None:
            near = nearest(symbol, await self._instruments.all())
            unknown = UnknownSymbol(symbol[:40], nearest=near)
            raise NotFound(unknown.message, code=unknown.code)
        return _sentiment_view(await read_mood(self._news, instrument, now=self._clock(), day=at))


def _prepared(
    taken: Sequence[NewItem],
    found: Sequence[Sentiment],
    scorer: str,
    instruments: Sequence[Instrument],
) -> list[NewsItem]:
    """Return the items as they are stored, each once."""
    ready: dict[str, NewsItem] = {}
    naming = Naming(instruments)
    names = {instrument.symbol: instrument.name for instrument in instruments}
    for item, sentiment in zip(taken, found, strict=True):
        fingerprint = near_duplicates.fingerprint(
            item.type, item.source_name, item.title, item.published_at.isoformat()
        )
        said = quotable(item.title)
        linked = dict.fromkeys((*item.symbols, *_named(item.title, naming)))
        ready.setdefault(
            fingerprint,
            NewsItem(
                id=new_id(),
                fingerprint=fingerprint,
                type=item.type,
                source_name=item.source_name,
                title=item.title,
                body=item.body,
                url=item.url,
                language=item.language,
                symbols=tuple(linked),
                published_at=item.published_at,
                known_at=item.known_at or item.published_at,
                positive=sentiment.positive,
                neutral=sentiment.neutral,
                negative=sentiment.negative,
                scorer=scorer,
                keywords=topics.keywords(
                    [said], without=(*linked, *(names.get(one, one) for one in linked))
                ),
                topics=topics.topics(said),
                synthetic=item.synthetic,
            ),
        )
    return list(ready.values())


def _named(title: str, naming: Naming) -> list[str]:
    """Return the symbols a headline names; in one all of capitals only names tell, not symbols."""
    said = title.title() if title == title.upper() else title
    return [mention.symbol for mention in naming.mentions(said)]


def _view(item: NewsItem) -> NewsView:
    return NewsView(
        id=item.id,
        type=item.type,
        source_name=item.source_name,
        title=item.title,
        url=item.url,
        published_at=item.published_at,
        known_at=item.known_at,
        symbols=list(item.symbols),
        score=item.score,
        label=item.label,
        abstained=item.sentiment.abstains,
        probabilities={
            "positive": item.positive,
            "neutral": item.neutral,
            "negative": item.negative,
        },
        scorer=item.scorer,
        keywords=list(item.keywords),
        topics=list(item.topics),
        synthetic=item.synthetic,
        duplicate_of=item.duplicate_of,
    )


def _sentiment_view(mood: Mood) -> SentimentView:
    summary = mood.summary
    return SentimentView(
        symbol=mood.symbol,
        score=summary.score,
        sources=[
            SourceView(one.type, one.name, one.score, one.weight, one.timestamp)
            for one in summary.sources
        ],
        keywords=list(summary.keywords),
        topics=list(summary.topics),
        n=summary.n,
        disagreement=summary.disagreement,
        as_of=mood.as_of,
        synthetic=mood.synthetic,
        notes=mood.notes,
    )
