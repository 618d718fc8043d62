"""The Kafka feed, joined: consumer, rules, storage and the door that bars get in by."""

from collections.abc import Callable

from app.doors.kafka import KafkaFeed
from app.security.people import utc_now
from app.services.bar_intake import BarIntake
from app.services.feeds import FeedIntake
from app.services.kafka_config import KafkaConfig
from app.services.known_instruments import KnownInstruments
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.feeds import PostgresFeeds
from app.storage.instruments import PostgresInstruments


def kafka_feed(
    config: KafkaConfig,
    database: Database,
    instruments: PostgresInstruments,
    bars: PostgresBars,
    intake: BarIntake,
    *,
    say: Callable[[str], None],
) -> KafkaFeed:
    """Return the feed of one cluster; it reads while its `run` runs."""
    feed_intake = FeedIntake(
        PostgresFeeds(database, bars, config.group_id),
        intake,
        KnownInstruments(instruments),
        kinds=config.topics,
        clock=utc_now,
        tick_timeframe=config.ticks_timeframe,
    )
    return KafkaFeed(config, feed_intake, say=say)
