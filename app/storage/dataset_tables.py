"""Datasets and their versions."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from app.storage.columns import json, metadata, one_of, time, uuid

datasets = sa.Table(
    "datasets",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("type", sa.Text, nullable=False),
    json("source"),
    sa.Column("credentials_key_id", sa.Text),
    sa.Column("credentials_sealed", BYTEA),
    json("features", default="[]"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    json("splits"),
    json("preprocessing_steps", default="[]"),
    sa.Column("status", sa.Text, nullable=False, server_default="collecting"),
    json("quality"),
    sa.Column("storage_location", sa.Text, nullable=False, server_default=""),
    uuid("created_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
    one_of("type", "training", "validation", "test", "production"),
    one_of("status", "collecting", "processing", "ready", "archived", "corrupted"),
    sa.CheckConstraint("size >= 0", name="size"),
    sa.Index("ix_datasets_created_at_id", "created_at", "id"),
)
"""The newest version's profile, quality and size stand here too. Credentials of the source are
sealed, by the key that `credentials_key_id` names."""

dataset_versions = sa.Table(
    "dataset_versions",
    metadata,
    uuid("id", primary_key=True),
    uuid("dataset_id", sa.ForeignKey("datasets.id", ondelete="CASCADE")),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    json("manifest"),
    json("features", default="[]"),
    json("quality"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("storage_location", sa.Text, nullable=False, server_default=""),
    time("as_of", nullable=True),
    time("created_at", default_now=True),
    sa.UniqueConstraint("dataset_id", "version"),
    sa.UniqueConstraint("dataset_id", "digest"),
)
"""`digest` is the SHA-256 of the manifest; `as_of` the moment up to which its data was known."""
