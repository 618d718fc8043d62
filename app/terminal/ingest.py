"""`outcry ingest`: read the topics in a process of its own, and say how it goes."""

import asyncio
from collections.abc import Awaitable, Callable

from rich.console import Console

from app.observability.logs import configure_logging
from app.security.people import utc_now
from app.services.feeds.feed_stats import FeedSummary
from app.services.market.bar_intake import BarIntake
from app.settings import Settings, SettingsError
from app.storage.bars import PostgresBars
from app.storage.instruments import PostgresInstruments
from app.terminal.stopping import told_to_stop
from app.wiring.database import open_database
from app.wiring.feeds import kafka_feed
from app.wiring.live import open_live
from app.wiring.news import open_news

_SHOWN_EVERY_S = 5.0


async def ingest(settings: Settings) -> None:
    """Read until the process is told to stop.

    Raises:
        SettingsError: no cluster is named.
    """
    if settings.kafka is None:
        raise SettingsError("KAFKA_BOOTSTRAP_SERVERS is not set: say which cluster to read.")
    configure_logging(level=settings.log_level, json_lines=settings.log_json)
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    async with open_database(settings, on_progress=say) as (database, label):
        instruments, bars = PostgresInstruments(database), PostgresBars(database)
        intake = BarIntake(instruments, bars, clock=utc_now)
        async with open_live(database, instruments, bars, intake, None) as live:
            feed = kafka_feed(
                settings.kafka,
                database,
                instruments,
                bars,
                intake,
                open_news(settings, database, instruments).intake,
                bar_open=live.bar_open,
                say=say,
            )
            topics = ", ".join(settings.kafka.topics)
            servers = settings.kafka.bootstrap_servers
            say(f"Reading {topics} from {servers} into {label}. Ctrl-C stops.")
            await _until_told(feed.run, lambda: say(_words(feed.stats.summary())))
            say(_words(feed.stats.summary()))


async def _until_told(work: Callable[[], Awaitable[None]], show: Callable[[], None]) -> None:
    """Work until SIGINT or SIGTERM comes; the batch in flight is rolled back whole."""
    with told_to_stop() as told:
        working = asyncio.ensure_future(work())
        waiting = asyncio.create_task(told.wait())
        try:
            while not told.is_set():
                done, _ = await asyncio.wait(
                    {working, waiting},
                    timeout=_SHOWN_EVERY_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if working in done:
                    await working
                elif not done:
                    show()
        finally:
            waiting.cancel()
            working.cancel()
            await asyncio.wait({working, waiting}, timeout=10)


def _words(summary: FeedSummary) -> str:
    p50, p99 = summary.write.p50_s, summary.write.p99_s
    speed = "" if p50 is None or p99 is None else f"; a batch takes {p50:.2f} s, p99 {p99:.2f} s"
    return (
        f"{summary.messages:,} messages: {summary.accepted:,} bars stored, {summary.refused:,} "
        f"refused; {summary.behind:,} wait{speed}; paused {summary.paused_s:.0f} s"
    )
