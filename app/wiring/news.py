"""News on the desk: its store, its scorer, and the one way in."""

from pathlib import Path

import msgspec

from app.security.people import utc_now
from app.services.news import News, NewsIntake
from app.settings import Settings, SettingsError
from app.storage.engine import Database
from app.storage.news import PostgresNews
from tools.market import demo_news
from tools.market.finbert import FinBert
from tools.market.scorer import HenryRules, Scorer, ScoringFailed
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


def intake_scorer(settings: Settings) -> Scorer:
    """Return what new items are scored with.

    Raises:
        SettingsError: the folder that was named cannot serve.
    """
    if settings.sentiment_model is None:
        return HenryRules()
    try:
        return sentiment_model(settings.sentiment_model)
    except ScoringFailed as failed:
        raise SettingsError(f"OUTCRY_SENTIMENT_MODEL: {failed}") from failed


def sentiment_model(folder: Path) -> Scorer:
    """Return the scorer of a folder with a text classifier.

    Raises:
        ScoringFailed: there is none in it, or what it needs is not installed.
    """
    return FinBert(folder)


def open_news(settings: Settings, database: Database, instruments: InstrumentStore) -> NewsDesk:
    """Open the desk's news."""
    store = PostgresNews(database)
    intake = NewsIntake(instruments, store, intake_scorer(settings), clock=utc_now)
    return NewsDesk(
        settings=settings,
        store=store,
        intake=intake,
        service=News(instruments, store, intake, clock=utc_now),
    )
