"""News in Postgres: stored once, read newest first."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.domain.text import clean_text
from app.storage.engine import Database, Record
from tools.analytics.sentiment import Sentiment
from tools.analytics.sentiment_summary import SourceType
from tools.market.news import MOST_NEAR, MOST_READ, NewsItem, Place

_COLUMNS = (
    "id, fingerprint, type, source_name, title, body, url, language, symbols, published_at,"
    " known_at, positive, neutral, negative, scorer, keywords, topics, synthetic, duplicate_of"
)

_READ = f"""
    SELECT {_COLUMNS} FROM news
     WHERE ($1::text IS NULL OR symbols @> ARRAY[$1])
       AND ($2::text IS NULL OR type = $2)
       AND ($3::timestamptz IS NULL OR published_at <= $3)
       AND ($4::timestamptz IS NULL OR known_at <= $4)
       AND ($5::timestamptz IS NULL OR published_at > $5)
       AND ($6::timestamptz IS NULL OR (published_at, id) < ($6, $7::uuid))
     ORDER BY published_at DESC, id DESC
     LIMIT $8
"""


class PostgresNews:
    """Implements `tools.market.news.NewsStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, items: Sequence[NewsItem]) -> set[str]:
        """Store the items that are not there yet, in one step; return their fingerprints."""
        stored: set[str] = set()
        async with self._database.transaction() as connection:
            for item in items:
                found = await connection.fetchval(
                    f"""
                    INSERT INTO news ({_COLUMNS})
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                            $17, $18, (SELECT id FROM news WHERE id = $19))
                    ON CONFLICT (fingerprint) DO NOTHING
                    RETURNING fingerprint
                    """,
                    *_row(item),
                )
                if found is not None:
                    stored.add(found)
        return stored

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
        """Return items, newest first."""
        at, item_id = after or (None, None)
        wanted = None if symbol is None else clean_text(symbol)
        rows = await self._database.fetch(
            _READ, wanted, type, until, known_by, since, at, item_id, limit
        )
        return [_item(row) for row in rows]

    async def near(
        self, *, since: datetime, until: datetime, symbols: Sequence[str]
    ) -> list[tuple[UUID, str, datetime]]:
        """Return id, title and time of the first tellings of a stretch, oldest first.

        Those about one of the symbols, and those about none; at most the newest `MOST_NEAR`.
        """
        rows = await self._database.fetch(
            """
            SELECT id, title, published_at FROM news
             WHERE duplicate_of IS NULL AND published_at BETWEEN $1 AND $2
               AND (symbols && $3::text[] OR symbols = '{}')
             ORDER BY published_at DESC, id DESC
             LIMIT $4
            """,
            since,
            until,
            list(symbols),
            MOST_NEAR,
        )
        return [(row["id"], row["title"], row["published_at"]) for row in reversed(rows)]

    async def rescore(self, scores: Sequence[tuple[UUID, Sentiment]], *, scorer: str) -> None:
        """Put other scores, of another scorer, in the place of those of these items."""
        await self._database.write(
            """
            UPDATE news SET positive = new.positive, neutral = new.neutral,
                            negative = new.negative, scorer = $5
              FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[])
                   AS new (id, positive, neutral, negative)
             WHERE news.id = new.id
            RETURNING news.id
            """,
            [item_id for item_id, _ in scores],
            [one.positive for _, one in scores],
            [one.neutral for _, one in scores],
            [one.negative for _, one in scores],
            scorer,
        )

    async def is_empty(self) -> bool:
        """Tell whether there is no item at all."""
        return not await self._database.fetchval("SELECT EXISTS (SELECT FROM news)")

    async def forget(self, *, source_name: str) -> int:
        """Remove every item of a source; return how many there were."""
        gone = await self._database.write(
            "DELETE FROM news WHERE source_name = $1 RETURNING id", clean_text(source_name)
        )
        return len(gone)


def _row(item: NewsItem) -> tuple[object, ...]:
    return (
        item.id,
        item.fingerprint,
        item.type,
        item.source_name,
        item.title,
        item.body,
        item.url,
        item.language,
        list(item.symbols),
        item.published_at,
        item.known_at,
        item.positive,
        item.neutral,
        item.negative,
        item.scorer,
        list(item.keywords),
        list(item.topics),
        item.synthetic,
        item.duplicate_of,
    )


def _item(row: Record) -> NewsItem:
    values = dict(row.items())
    for name in ("symbols", "keywords", "topics"):
        values[name] = tuple(values[name])
    return NewsItem(**values)
