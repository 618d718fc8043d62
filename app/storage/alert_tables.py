"""Alerts, the episodes they fired in, and what is sent of them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from app.storage.columns import json, metadata, one_of, time, uuid

alerts = sa.Table(
    "alerts",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("timeframe", sa.Text, nullable=False),
    json("condition", default=None),
    sa.Column("words", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False, server_default="active"),
    uuid("agent_id", sa.ForeignKey("agents.id", ondelete="SET NULL"), nullable=True),
    json("rules"),
    json("watch"),
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_off", sa.Text),
    sa.Column("secret_key_id", sa.Text),
    sa.Column("secret_sealed", BYTEA),
    time("last_bar_time", nullable=True),
    sa.Column("last_result", sa.Text),
    time("last_fired_at", nullable=True),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
    one_of("status", "active", "paused"),
    one_of("last_result", "true", "false", "unknown", "unreliable"),
    sa.Index("ix_alerts_user_id_created_at_id", "user_id", "created_at", "id"),
    sa.Index(
        "ix_alerts_watching",
        "symbol",
        "timeframe",
        postgresql_where=sa.text("status = 'active'"),
    ),
)
"""`rules` says how episodes begin and end, `watch` where it stands after `last_bar_time`. The
webhook's secret is sealed, by the key `secret_key_id` names."""

alert_episodes = sa.Table(
    "alert_episodes",
    metadata,
    uuid("id", primary_key=True),
    uuid("alert_id", sa.ForeignKey("alerts.id", ondelete="CASCADE")),
    time("bar_time"),
    time("fired_at"),
    time("ended_at", nullable=True),
    time("ended_bar_time", nullable=True),
    json("evidence"),
    uuid("conversation_id", nullable=True),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    time("opened_at", nullable=True),
    time("withdrawn_at", nullable=True),
    sa.Column("withdrawn_because", sa.Text),
    time("withdrawal_told_at", nullable=True),
    sa.UniqueConstraint("alert_id", "bar_time"),
    sa.Index("ix_alert_episodes_alert_id_fired_at_id", "alert_id", "fired_at", "id"),
    sa.Index(
        "ix_alert_episodes_unopened",
        "fired_at",
        postgresql_where=sa.text("opened_at IS NULL"),
    ),
    sa.Index(
        "ix_alert_episodes_withdrawn",
        "withdrawn_at",
        postgresql_where=sa.text("withdrawn_at IS NOT NULL AND withdrawal_told_at IS NULL"),
    ),
)
"""`conversation_id` is no foreign key: a conversation may be deleted, what fired has fired."""

alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    uuid("id", primary_key=True),
    uuid("episode_id", sa.ForeignKey("alert_episodes.id", ondelete="CASCADE")),
    sa.Column("event", sa.Text, nullable=False, server_default="fired"),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="pending"),
    json("attempts", default="[]"),
    time("next_attempt_at", nullable=True),
    time("created_at", default_now=True),
    one_of("status", "pending", "delivered", "failed"),
    one_of("event", "fired", "withdrawn"),
    sa.UniqueConstraint("episode_id", "event"),
    sa.Index(
        "ix_alert_deliveries_due",
        "next_attempt_at",
        postgresql_where=sa.text("status = 'pending'"),
    ),
)
"""`body` is what is sent and signed, to the byte, at every attempt."""
