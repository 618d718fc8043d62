"""Experiments between models, and how models drift."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, one_of, time, uuid

experiments = sa.Table(
    "experiments",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("alpha", sa.Double, nullable=False),
    uuid("champion_id", sa.ForeignKey("models.id", ondelete="RESTRICT"), index=True),
    uuid("challenger_id", sa.ForeignKey("models.id", ondelete="RESTRICT"), index=True),
    sa.Column("status", sa.Text, nullable=False, server_default="running"),
    uuid("created_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    json("decision", nullable=True),
    time("started_at"),
    time("ended_at", nullable=True),
    one_of("mode", "shadow", "ab"),
    one_of("status", "running", "stopped", "promoted", "rejected"),
    sa.CheckConstraint("share > 0 AND share <= 1", name="share"),
    sa.CheckConstraint("alpha > 0 AND alpha < 1", name="alpha"),
    sa.CheckConstraint("champion_id <> challenger_id", name="two_models"),
    sa.Index("ix_experiments_started_at_id", "started_at", "id"),
    sa.Index(
        "uq_experiments_running",
        "model",
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    ),
)
"""Of one model's versions only two are compared at a time."""

model_reports = sa.Table(
    "model_reports",
    metadata,
    uuid("id", primary_key=True),
    uuid("model_id", sa.ForeignKey("models.id", ondelete="CASCADE")),
    json("report"),
    sa.Column("alarms", sa.Integer, nullable=False, server_default="0"),
    time("created_at", default_now=True),
    sa.Index("ix_model_reports_model_id_created_at_id", "model_id", "created_at", "id"),
)
"""How a model did at a moment: live skill, calibration, drift, speed."""
