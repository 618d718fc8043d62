"""A broker, and a desk's market side to read it into."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.doors.kafka import KafkaFeed, KafkaPolicy
from app.security.people import utc_now
from app.services.feeds.feeds import FeedIntake
from app.services.feeds.kafka_config import KafkaConfig
from app.services.market.bar_intake import BarIntake
from app.services.market.known_instruments import KnownInstruments
from app.services.news.news import NewsIntake
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.feeds import PostgresFeeds
from app.storage.instruments import PostgresInstruments
from app.storage.news import PostgresNews
from tests.integration.feeds.broker import Broker
from tools.market.instruments import Instrument
from tools.market.scorer import HenryRules

QUICK = KafkaPolicy(
    wait_ms=20,
    first_pause_s=0.05,
    last_pause_s=0.5,
    silent_s=0.2,
    session_timeout_ms=6_000,
)


class Receiver:
    """Feeds into one database, as several processes would be."""

    def __init__(self, database: Database, servers: str) -> None:
        self.database = database
        self.instruments = PostgresInstruments(database)
        self.bars = PostgresBars(database)
        self.news = PostgresNews(database)
        self.config = KafkaConfig(bootstrap_servers=servers, group_id="test")
        self.said: list[str] = []

    async def know(self, *symbols: str, kind: str = "equity") -> None:
        for symbol in symbols:
            await self.instruments.put(
                Instrument(symbol=symbol, name=symbol, kind=kind, source="topic")
            )

    def intake(self, clock: Callable[[], Any] = utc_now) -> FeedIntake:
        return FeedIntake(
            PostgresFeeds(self.database, self.bars, self.config.group_id),
            BarIntake(self.instruments, self.bars, clock=clock),
            KnownInstruments(self.instruments),
            kinds=self.config.topics,
            clock=clock,
            news=NewsIntake(self.instruments, self.news, HenryRules(), clock=clock),
        )

    @asynccontextmanager
    async def reading(self, policy: KafkaPolicy = QUICK, **kwargs: Any) -> AsyncIterator[KafkaFeed]:
        """Read the topics meanwhile."""
        feed = KafkaFeed(self.config, self.intake(**kwargs), policy, say=self.said.append)
        task = asyncio.create_task(feed.run())
        try:
            yield feed
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=10)

    async def count(self, table: str = "bars") -> int:
        assert table in ("bars", "feed_refusals", "feed_open_bars", "news")
        found: int = await self.database.fetchval(f"SELECT count(*) FROM {table}")
        return found

    async def until(self, condition: Callable[[], Any], *, within_s: float = 40) -> None:
        """Wait until an awaitable condition holds."""
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 - rows in a database, no event
                await asyncio.sleep(0.02)

    async def reasons(self) -> list[str]:
        rows = await self.database.fetch("SELECT reason FROM feed_refusals ORDER BY message_offset")
        return [row["reason"] for row in rows]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def receiver(database: Database, broker: Broker) -> Receiver:
    for table in ("feed_positions", "feed_open_bars", "feed_refusals", "news"):
        await database.execute(f"DELETE FROM {table}")
    return Receiver(database, broker.servers)
