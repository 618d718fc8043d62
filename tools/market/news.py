"""News: what was said about which instruments, when it was published and when it was known here.

An item is data of strangers. Its words are scored and quoted, never obeyed (`quoting.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from tools.analytics.sentiment import Label, Sentiment
from tools.analytics.sentiment_summary import Reading, SourceType
from tools.market.quoting import quotable

MOST_READ = 500
"""Items of one symbol that a summary looks at; the newest ones."""
MOST_NEAR = 5_000
"""Stories that new items are compared with."""


class NewsItem(msgspec.Struct, frozen=True, kw_only=True):
    """One headline, post or remark, scored."""

    id: UUID
    fingerprint: str
    """The same source saying the same words at the same time is one item."""
    type: SourceType
    source_name: str
    """As a person would cite it."""
    title: str
    body: str | None = None
    url: str | None = None
    language: str = "en"
    symbols: tuple[str, ...] = ()
    published_at: datetime
    known_at: datetime
    """When this desk could have known it: never before it was published."""
    positive: float
    neutral: float
    negative: float
    scorer: str
    """Which scorer and version: `henry-rules/1`."""
    keywords: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    synthetic: bool = False
    """Invented for a demonstration."""
    duplicate_of: UUID | None = None
    """The stored item whose story this repeats."""

    @property
    def sentiment(self) -> Sentiment:
        return Sentiment(self.positive, self.neutral, self.negative)

    @property
    def score(self) -> float:
        """P(positive) minus P(negative)."""
        return self.positive - self.negative

    @property
    def label(self) -> Label:
        return self.sentiment.label

    def reading(self) -> Reading:
        """Return what a summary needs of it."""
        return Reading(
            id=str(self.id),
            type=self.type,
            source_name=self.source_name,
            title=quotable(self.title),
            published_at=self.published_at,
            known_at=self.known_at,
            score=self.score,
            label=self.label,
            topics=self.topics,
        )


Place = tuple[datetime, UUID]
"""Where an item stands in the list, newest first."""


class NewsStore(Protocol):
    """Keeps news."""

    async def add(self, items: Sequence[NewsItem]) -> set[str]:
        """Store the items that are not there yet; return the fingerprints of those stored."""
        ...

    async def read(
        self,
        *,
        symbol: str | None = None,
        type: SourceType | None = None,
        until: datetime | None = None,
        known_by: datetime | None = None,
        since: datetime | None = None,
        after: Place | None = None,
        limit: int = MOST_READ,
    ) -> list[NewsItem]:
        """Return items, newest first, published after `since` and up to `until`, both UTC.

        `known_by`: only what was known then. `after`: only what comes behind that place.
        """
        ...

    async def near(
        self, *, since: datetime, until: datetime, symbols: Sequence[str]
    ) -> list[tuple[UUID, str, datetime]]:
        """Return id, title and time of the first tellings of a stretch, oldest first.

        Those about one of the symbols, and those about none; at most the newest `MOST_NEAR`.
        """
        ...

    async def rescore(self, scores: Sequence[tuple[UUID, Sentiment]], *, scorer: str) -> None:
        """Put other scores, of another scorer, in the place of those of these items."""
        ...

    async def is_empty(self) -> bool:
        """Tell whether there is no item at all."""
        ...

    async def forget(self, *, source_name: str) -> int:
        """Remove every item of a source; return how many there were."""
        ...


class InProcessNews:
    """News in memory."""

    def __init__(self, items: Iterable[NewsItem] = ()) -> None:
        self._items = {item.fingerprint: item for item in items}

    async def add(self, items: Sequence[NewsItem]) -> set[str]:
        new = {i.fingerprint: i for i in items if i.fingerprint not in self._items}
        self._items |= new
        return set(new)

    async def read(
        self,
        *,
        symbol: str | None = None,
        type: SourceType | None = None,
        until: datetime | None = None,
        known_by: datetime | None = None,
        since: datetime | None = None,
        after: Place | None = None,
        limit: int = MOST_READ,
    ) -> list[NewsItem]:
        found = [
            item
            for item in self._items.values()
            if (symbol is None or symbol in item.symbols)
            and (type is None or item.type == type)
            and (until is None or item.published_at <= until)
            and (known_by is None or item.known_at <= known_by)
            and (since is None or item.published_at > since)
            and (after is None or (item.published_at, item.id) < after)
        ]
        found.sort(key=lambda item: (item.published_at, item.id), reverse=True)
        return found[:limit]

    async def near(
        self, *, since: datetime, until: datetime, symbols: Sequence[str]
    ) -> list[tuple[UUID, str, datetime]]:
        found = [
            item
            for item in self._items.values()
            if item.duplicate_of is None
            and since <= item.published_at <= until
            and (not item.symbols or not set(symbols).isdisjoint(item.symbols))
        ]
        found.sort(key=lambda item: (item.published_at, item.id))
        return [(item.id, item.title, item.published_at) for item in found[-MOST_NEAR:]]

    async def rescore(self, scores: Sequence[tuple[UUID, Sentiment]], *, scorer: str) -> None:
        by_id = dict(scores)
        for fingerprint, item in self._items.items():
            one = by_id.get(item.id)
            if one is not None:
                self._items[fingerprint] = msgspec.structs.replace(
                    item,
                    positive=one.positive,
                    neutral=one.neutral,
                    negative=one.negative,
                    scorer=scorer,
                )

    async def is_empty(self) -> bool:
        return not self._items

    async def forget(self, *, source_name: str) -> int:
        before = len(self._items)
        self._items = {k: i for k, i in self._items.items() if i.source_name != source_name}
        return before - len(self._items)
