"""Instruments and bars."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, time, uuid

instruments = sa.Table(
    "instruments",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("symbol", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="equity"),
    sa.Column("currency", sa.Text, nullable=False, server_default="USD"),
    sa.Column("exchange", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    json("provenance"),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
)

bars = sa.Table(
    "bars",
    metadata,
    uuid("instrument_id", sa.ForeignKey("instruments.id", ondelete="CASCADE")),
    sa.Column("timeframe", sa.Text, nullable=False),
    time("timestamp"),
    sa.Column("open", sa.Double, nullable=False),
    sa.Column("high", sa.Double, nullable=False),
    sa.Column("low", sa.Double, nullable=False),
    sa.Column("close", sa.Double, nullable=False),
    sa.Column("volume", sa.Double, nullable=False),
    sa.Column("adjusted_close", sa.Double),
    time("ingested_at", default_now=True),
    sa.PrimaryKeyConstraint("instrument_id", "timeframe", "timestamp"),
    sa.CheckConstraint(
        " AND ".join(
            f"{column} NOT IN ('NaN', 'Infinity', '-Infinity')"
            for column in ("open", "high", "low", "close", "volume", "adjusted_close")
        ),
        name="prices_are_numbers",
    ),
    sa.CheckConstraint("high >= low AND volume >= 0", name="prices_are_possible"),
)
