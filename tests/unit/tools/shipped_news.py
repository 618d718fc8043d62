"""The invented headlines that ship, taken in as a desk does."""

from datetime import UTC, datetime

from app.services.news.news import NewsIntake
from tools.market.demo_news import read_demo_news
from tools.market.news import InProcessNews
from tools.market.scorer import HenryRules
from tools.market.store import InstrumentStore

TAKEN_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def demo_news(instruments: InstrumentStore) -> InProcessNews:
    """Return the demo news, linked to these instruments."""
    news = InProcessNews()
    intake = NewsIntake(instruments, news, HenryRules(), clock=lambda: TAKEN_AT)
    taken = await intake.take(read_demo_news(), backfill=True)
    assert taken.refused == []
    return news
