"""The Kafka feed, joined: consumer, rules, storage and the door that bars get in by."""

from collections.abc import Callable
from datetime import UTC, datetime

from app.doors.kafka import KafkaFeed
from app.protocol.frames import LiveBar
from app.security.people import utc_now
from app.services.feeds.feeds import FeedIntake
from app.services.feeds.kafka_config import KafkaConfig
from app.services.market.bar_intake import BarIntake
from app.services.market.known_instruments import KnownInstruments
from app.services.news.news import NewsIntake
from app.settings import SettingsError
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.feeds import PostgresFeeds
from app.storage.instruments import PostgresInstruments
from tools.market.ticks import OpenBar


def kafka_feed(
    config: KafkaConfig,
    database: Database,
    instruments: PostgresInstruments,
    bars: PostgresBars,
    intake: BarIntake,
    news: NewsIntake,
    *,
    bar_open: Callable[[str, str, LiveBar], None],
    say: Callable[[str], None],
) -> KafkaFeed:
    """Return the feed of one cluster; it reads while its `run` runs.

    `bar_open` is told how the bars stand that trades are still added to.

    Raises:
        SettingsError: a certificate cannot be read.
    """
    try:
        config.client()
    except OSError as wrong:
        raise SettingsError(f"KAFKA_SSL_…: {wrong.strerror or wrong} ({wrong.filename}).") from None
    feed_intake = FeedIntake(
        PostgresFeeds(database, bars, config.group_id),
        intake,
        KnownInstruments(instruments),
        kinds=config.topics,
        clock=utc_now,
        news=news,
        tick_timeframe=config.ticks_timeframe,
    )

    def tell_open(timeframe: str, bar: OpenBar) -> None:
        opened = datetime.fromtimestamp(bar.opened_us // 1_000_000, UTC)
        shown = LiveBar(opened, bar.open, bar.high, bar.low, bar.close, bar.volume)
        bar_open(bar.symbol, timeframe, shown)

    feed_intake.open_bar_listeners.append(tell_open)
    return KafkaFeed(config, feed_intake, say=say)
