"""Declared feature views, the values that are served, and how far each view was taken."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, time, uuid

feature_views = sa.Table(
    "feature_views",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    json("definition", default=None),
    uuid("dataset_id", sa.ForeignKey("datasets.id", ondelete="CASCADE"), index=True),
    uuid("created_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    time("created_at", default_now=True),
    sa.CheckConstraint("version > 0", name="version"),
)
"""Views over datasets; those of the market's prices are code."""

feature_values = sa.Table(
    "feature_values",
    metadata,
    sa.Column("view", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("entity", sa.Text, primary_key=True),
    time("event_time"),
    time("known_at"),
    json("features", default=None),
    time("written_at", default_now=True),
    sa.Index("ix_feature_values_view_event_time", "view", "version", "event_time"),
)
"""The newest values of each entity: an older moment never replaces a newer one."""

feature_states = sa.Table(
    "feature_states",
    metadata,
    sa.Column("view", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False),
    time("until"),
    time("materialized_at"),
)
"""Up to which batch of which offline store, and up to which moment of knowledge, the values that
are served have been taken."""
