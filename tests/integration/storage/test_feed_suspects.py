"""What a topic brings and nobody should believe goes to quarantine with the feed's position."""

from datetime import UTC, datetime

import msgspec

from app.domain.feeds import FeedMessage
from app.services.feeds.feeds import FeedIntake
from app.services.market.bar_intake import BarIntake
from app.services.market.known_instruments import KnownInstruments
from app.services.news.news import NewsIntake
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.feeds import PostgresFeeds
from app.storage.instruments import PostgresInstruments
from app.storage.news import PostgresNews
from tools.market.instruments import Instrument
from tools.market.scorer import HenryRules

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PARTITION = ("bars", 0)


def message(offset: int, day: int, close: float) -> FeedMessage:
    bar = {
        "symbol": "TEST", "timeframe": "1d", "timestamp": f"2025-06-{day:02}T00:00:00Z",
        "open": close, "high": close, "low": close, "close": close, "volume": 1,
    }  # fmt: skip
    return FeedMessage(offset, msgspec.json.encode(bar))


async def test_a_tick_in_the_wrong_unit_is_kept_apart_and_read_once(database: Database) -> None:
    instruments, bars = PostgresInstruments(database), PostgresBars(database)
    await instruments.put(Instrument(symbol="TEST", name="Test", source="topic"))
    feed = FeedIntake(
        PostgresFeeds(database, bars, "suspects"),
        BarIntake(instruments, bars, clock=lambda: NOW),
        KnownInstruments(instruments),
        kinds={"bars": "bars"},
        clock=lambda: NOW,
        news=NewsIntake(instruments, PostgresNews(database), HenryRules(), clock=lambda: NOW),
    )
    await feed.begin([PARTITION])
    await feed.take({PARTITION: [message(0, 2, 185.1), message(1, 3, 186.0)]})
    # -99.97 %, twice in one batch, and again in the next: judged by what was stored before.
    taken = await feed.take({PARTITION: [message(2, 4, 0.0555), message(3, 4, 0.0555)]})
    await feed.take({PARTITION: [message(4, 4, 0.0555), message(5, 5, 187.0)]})
    assert taken.accepted == 0
    assert (await bars.read("TEST")).close.tolist() == [185.1, 186.0, 187.0]
    (suspect,) = await bars.suspects("TEST")
    assert "-99.97 % from the one before" in suspect.reason
    assert suspect.possible
