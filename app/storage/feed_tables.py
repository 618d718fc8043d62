"""How far each live feed has been read, what it has open, and what could not be taken."""

import sqlalchemy as sa

from app.storage.columns import metadata, time

feed_positions = sa.Table(
    "feed_positions",
    metadata,
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("watermark_us", sa.BigInteger),
    time("updated_at", default_now=True),
    sa.PrimaryKeyConstraint("group_id", "topic", "partition"),
    sa.CheckConstraint("next_offset >= 0", name="next_offset"),
)
"""One row a partition, written in the same transaction as the rows its messages became."""

feed_open_bars = sa.Table(
    "feed_open_bars",
    metadata,
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("opened_us", sa.BigInteger, nullable=False),
    sa.Column("timeframe", sa.Text, nullable=False),
    sa.Column("open", sa.Double, nullable=False),
    sa.Column("high", sa.Double, nullable=False),
    sa.Column("low", sa.Double, nullable=False),
    sa.Column("close", sa.Double, nullable=False),
    sa.Column("volume", sa.Double, nullable=False),
    sa.Column("ticks", sa.BigInteger, nullable=False),
    sa.Column("first_us", sa.BigInteger, nullable=False),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("group_id", "topic", "partition", "symbol", "opened_us"),
)
"""Bars that trades are still added to, as of `feed_positions.next_offset`."""

feed_refusals = sa.Table(
    "feed_refusals",
    metadata,
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("message_offset", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    time("refused_at", default_now=True),
    sa.PrimaryKeyConstraint("group_id", "topic", "partition", "message_offset"),
)
"""Messages that could not be taken and why; the newest are kept."""
