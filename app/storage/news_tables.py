"""News with its sentiment, and what companies reported."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.storage.columns import json, metadata, not_nan, one_of, time, uuid

news = sa.Table(
    "news",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("source_name", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("language", sa.Text, nullable=False, server_default="en"),
    sa.Column("symbols", ARRAY(sa.Text), nullable=False),
    time("published_at"),
    time("known_at"),
    sa.Column("positive", sa.Double, nullable=False),
    sa.Column("neutral", sa.Double, nullable=False),
    sa.Column("negative", sa.Double, nullable=False),
    sa.Column("scorer", sa.Text, nullable=False),
    sa.Column("keywords", ARRAY(sa.Text), nullable=False),
    sa.Column("topics", ARRAY(sa.Text), nullable=False),
    sa.Column("synthetic", sa.Boolean, nullable=False, server_default=sa.false()),
    uuid("duplicate_of", sa.ForeignKey("news.id", ondelete="SET NULL"), nullable=True, index=True),
    time("ingested_at", default_now=True),
    one_of("type", "news", "social", "analyst"),
    sa.CheckConstraint(
        "positive BETWEEN 0 AND 1 AND neutral BETWEEN 0 AND 1 AND negative BETWEEN 0 AND 1",
        name="probabilities",
    ),
    sa.CheckConstraint("known_at >= published_at", name="known_after_it_was_published"),
    sa.Index("ix_news_published_at_id", "published_at", "id"),
    sa.Index("ix_news_symbols", "symbols", postgresql_using="gin"),
)

_MONEY = ("revenue", "net_income", "equity", "total_debt", "shares", "dividends_per_share")

statements = sa.Table(
    "statements",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("period_end", sa.Date, nullable=False),
    sa.Column("months", sa.SmallInteger, nullable=False),
    time("published_at"),
    sa.Column("currency", sa.Text, nullable=False),
    *(sa.Column(name, sa.Numeric(30, 6)) for name in _MONEY),
    sa.Column("source", sa.Text, nullable=False),
    json("provenance"),
    time("ingested_at", default_now=True),
    sa.UniqueConstraint("symbol", "period_end", "months", "published_at"),
    sa.CheckConstraint("months IN (3, 6, 9, 12)", name="months"),
    *(not_nan(name) for name in _MONEY),
)
"""Money as reported. A restatement is a further row, because the first was what people knew."""
