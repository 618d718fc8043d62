"""News on the desk: its store, its scorer, and the one way in."""

import msgspec

from app.security.people import utc_now
from app.services.news import News, NewsIntake
from app.settings import Settings
from app.storage.engine import Database
from app.storage.news import PostgresNews
from tools.market import demo_news
from tools.market.scorer import HenryRules
from tools.market.store import InstrumentStore


class NewsDesk(msgspec.Struct, kw_only=True):
    """Everything about news that is open."""

    settings: Settings
    store: PostgresNews
    intake: NewsIntake
    """The one way news gets in."""
    service: News

    async def load_demo(self) -> None:
        """Store the invented headlines in a desk without news, or remove them."""
        if not self.settings.demo_news:
            await self.store.forget(source_name=demo_news.SOURCE)
        elif await self.store.is_empty():
            await self.intake.take(demo_news.read_demo_news(), backfill=True)


def open_news(settings: Settings, database: Database, instruments: InstrumentStore) -> NewsDesk:
    """Open the desk's news."""
    store = PostgresNews(database)
    intake = NewsIntake(instruments, store, HenryRules(), clock=utc_now)
    return NewsDesk(
        settings=settings,
        store=store,
        intake=intake,
        service=News(instruments, store, intake, clock=utc_now),
    )
