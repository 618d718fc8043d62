"""Long work and how far it has come."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, one_of, time, uuid

jobs = sa.Table(
    "jobs",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    json("payload"),
    sa.Column("dedupe_key", sa.Text),
    sa.Column("status", sa.Text, nullable=False, server_default="queued"),
    sa.Column("percent", sa.Double, nullable=False, server_default="0"),
    sa.Column("stage", sa.Text, nullable=False, server_default=""),
    json("state"),
    json("result", nullable=True),
    sa.Column("error", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
    time("run_after", default_now=True),
    time("leased_until", nullable=True),
    uuid("lease", nullable=True),
    time("created_at", default_now=True),
    time("started_at", nullable=True),
    time("ended_at", nullable=True),
    one_of("status", "queued", "running", "completed", "failed", "cancelled"),
    sa.CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    sa.Index("ix_jobs_created_at_id", "created_at", "id"),
    sa.Index("ix_jobs_user_id_created_at_id", "user_id", "created_at", "id"),
    sa.Index(
        "ix_jobs_due", "run_after", postgresql_where=sa.text("status IN ('queued', 'running')")
    ),
    sa.Index(
        "uq_jobs_dedupe_key",
        "dedupe_key",
        unique=True,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    ),
)
"""`state` is what a job needs to go on after its process died; `lease` names who works on it now.
Of jobs with one `dedupe_key` only one is under way."""
