"""The whole schema (`alembic check` is a test): every table module, joined in one metadata."""

from app.storage import (
    alert_tables,
    dataset_tables,
    experiment_tables,
    feature_tables,
    feed_tables,
    job_tables,
    market_tables,
    model_alarm_tables,
    model_tables,
    news_tables,
    prediction_tables,
    signal_tables,
    tables,
)
from app.storage.columns import metadata

__all__ = [
    "alert_tables",
    "dataset_tables",
    "experiment_tables",
    "feature_tables",
    "feed_tables",
    "job_tables",
    "market_tables",
    "metadata",
    "model_alarm_tables",
    "model_tables",
    "news_tables",
    "prediction_tables",
    "signal_tables",
    "tables",
]
