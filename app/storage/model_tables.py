"""Models, their aliases, and what happened to them."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, one_of, time, uuid

models = sa.Table(
    "models",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("framework", sa.Text, nullable=False),
    sa.Column("architecture", sa.Text, nullable=False),
    json("parameters"),
    json("performance"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("deployment_url", sa.Text),
    uuid(
        "training_dataset_id",
        sa.ForeignKey("datasets.id", ondelete="RESTRICT"),
        nullable=True,
        index=True,
    ),
    uuid(
        "training_dataset_version_id",
        sa.ForeignKey("dataset_versions.id", ondelete="RESTRICT"),
        nullable=True,
    ),
    json("validation_metrics"),
    uuid("created_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    sa.Column("artifact", sa.Text),
    sa.Column("recipe", sa.Text),
    sa.Column("task", sa.Text),
    sa.Column("timeframe", sa.Text),
    sa.Column("horizon_bars", sa.Integer),
    time("knowledge_cutoff", nullable=True),
    sa.Column("failure", sa.Text),
    sa.Column("deployed_despite", sa.Text),
    time("quarantined_at", nullable=True),
    time("trained_at", nullable=True),
    time("deployed_at", nullable=True),
    time("deprecated_at", nullable=True),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
    one_of(
        "type",
        "classification",
        "regression",
        "time_series",
        "nlp",
        "reinforcement",
        "generative",
    ),
    one_of(
        "framework",
        "tensorflow",
        "pytorch",
        "scikit_learn",
        "xgboost",
        "openai",
        "anthropic",
        "huggingface",
        "onnx",
        "numpy",
    ),
    one_of("status", "training", "validating", "ready", "deployed", "deprecated", "failed"),
    sa.UniqueConstraint("name", "version"),
    sa.Index("ix_models_created_at_id", "created_at", "id"),
    sa.Index("ix_models_task_status", "task", "status"),
    sa.Index("ix_models_artifact", "artifact"),
)
"""A version's row is never deleted: predictions and signals point to it. `artifact` is the digest
of its files; `deployed_despite` why it serves without measured skill."""

model_aliases = sa.Table(
    "model_aliases",
    metadata,
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("alias", sa.Text, nullable=False),
    uuid("model_id", sa.ForeignKey("models.id", ondelete="RESTRICT"), index=True),
    time("updated_at", default_now=True),
    sa.PrimaryKeyConstraint("name", "alias"),
)
"""`champion` and `challenger` of a model's name: each points to one deployed version."""

model_events = sa.Table(
    "model_events",
    metadata,
    uuid("id", primary_key=True),
    uuid("model_id", sa.ForeignKey("models.id", ondelete="CASCADE")),
    sa.Column("kind", sa.Text, nullable=False),
    json("details"),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    time("created_at", default_now=True),
    sa.Index("ix_model_events_model_id_created_at_id", "model_id", "created_at", "id"),
)
"""Transitions, aliases, overrides with their reasons, quarantine: who did what, and when."""
