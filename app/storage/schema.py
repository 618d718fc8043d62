"""The whole schema (`alembic check` is a test): every table module, joined in one metadata."""

from app.storage import (
    alert_tables,
    feed_tables,
    market_tables,
    news_tables,
    signal_tables,
    tables,
)
from app.storage.columns import metadata

__all__ = [
    "alert_tables",
    "feed_tables",
    "market_tables",
    "metadata",
    "news_tables",
    "signal_tables",
    "tables",
]
