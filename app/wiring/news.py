"""News on the desk: its store, its scorer, and the one way in."""

from pathlib import Path

import msgspec

from app.security.people import utc_now
from app.services.models.models import Models
from app.services.news.news import News, NewsIntake
from app.services.news.news_model import NewsModel
from app.services.predictions.prediction_ports import PredictionEngine
from app.settings import Settings, SettingsError
from app.storage.engine import Database
from app.storage.models import StoredModels
from app.storage.news import PostgresNews
from app.wiring.bundles import Bundles
from inference.artifacts import ArtifactStore
from inference.engine.in_process import InProcessEngine
from inference.runtimes.catalog import runtime_for
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


NLP = Path("nlp")
"""What `OUTCRY_SENTIMENT_MODEL` says for the champion of the task "sentiment"."""


def intake_scorer(
    settings: Settings, database: Database, engine: PredictionEngine | None = None
) -> Scorer:
    """Return what new items are scored with.

    Raises:
        SettingsError: the folder that was named cannot serve.
    """
    if settings.sentiment_model is None:
        return HenryRules()
    if settings.sentiment_model == NLP:
        return news_model(settings, database, engine)
    try:
        return sentiment_model(settings.sentiment_model)
    except ScoringFailed as failed:
        raise SettingsError(f"OUTCRY_SENTIMENT_MODEL: {failed}") from failed


def news_model(
    settings: Settings, database: Database, engine: PredictionEngine | None = None
) -> NewsModel:
    """Return the desk's own model; without an engine of the desk's it runs in this process."""
    artifacts = ArtifactStore(settings.data_dir / "artifacts")
    return NewsModel(
        Models(StoredModels(database), artifacts, clock=utc_now),
        Bundles(artifacts),
        engine or InProcessEngine(artifacts.open, runtime_for=runtime_for),
        abstain_below=settings.sentiment_abstain,
    )


def sentiment_model(folder: Path) -> Scorer:
    """Return the scorer of a folder with a text classifier.

    Raises:
        ScoringFailed: there is none in it, or what it needs is not installed.
    """
    return FinBert(folder)


def open_news(
    settings: Settings,
    database: Database,
    instruments: InstrumentStore,
    engine: PredictionEngine | None = None,
) -> NewsDesk:
    """Open the desk's news."""
    store = PostgresNews(database)
    intake = NewsIntake(
        instruments, store, intake_scorer(settings, database, engine), clock=utc_now
    )
    return NewsDesk(
        settings=settings,
        store=store,
        intake=intake,
        service=News(instruments, store, intake, clock=utc_now),
    )
