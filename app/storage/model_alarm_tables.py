"""What the watch over models raised."""

import sqlalchemy as sa

from app.domain.model_alarms import KINDS
from app.storage.columns import json, metadata, one_of, time, uuid

model_alarms = sa.Table(
    "model_alarms",
    metadata,
    uuid("id", primary_key=True),
    uuid("model_id", sa.ForeignKey("models.id", ondelete="CASCADE")),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, server_default=""),
    sa.Column("figure", sa.Double),
    sa.Column("worst", sa.Double),
    sa.Column("threshold", sa.Double),
    sa.Column("measured_over", sa.Text, nullable=False, server_default=""),
    sa.Column("words", sa.Text, nullable=False),
    json("evidence"),
    time("opened_at"),
    time("last_over_at"),
    sa.Column("looks", sa.Integer, nullable=False, server_default="1"),
    sa.Column("reopened", sa.Integer, nullable=False, server_default="0"),
    sa.Column("clear_looks", sa.Integer, nullable=False, server_default="0"),
    time("clear_since", nullable=True),
    time("closed_at", nullable=True),
    sa.Column("closed_because", sa.Text),
    time("acknowledged_at", nullable=True),
    uuid("acknowledged_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    one_of("kind", *KINDS),
    sa.Index("ix_model_alarms_opened_at_id", "opened_at", "id"),
    sa.Index(
        "uq_model_alarms_open",
        "model_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index("ix_model_alarms_about", "model_id", "kind", "subject", "opened_at"),
)
"""About one thing at most one is open; `looks` counts how often its figure was beyond its
threshold, `clear_looks` how often in a row it was well below."""
