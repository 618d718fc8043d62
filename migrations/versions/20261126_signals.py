"""Signals and how they turned out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0de2222"
down_revision: str | None = "51a7c0de1111"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "market_signals",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("signal_type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "indicators",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "technical_analysis",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("sentiment_analysis", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fundamental_analysis", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("base_rate", sa.Double(), nullable=True),
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column(
            "track_record",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("valid_from", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_bars", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_value", sa.Double(), nullable=True),
        sa.Column("outcome_unit", sa.Text(), nullable=True),
        sa.Column("outcome_note", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("own_base_rate", sa.Double(), nullable=True),
        sa.Column("path", sa.LargeBinary(), nullable=True),
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "direction IN ('bullish', 'bearish', 'neutral')",
            name=op.f("ck_market_signals_direction"),
        ),
        sa.CheckConstraint(
            "edge IN ('measured edge', 'no measured edge', 'too few')",
            name=op.f("ck_market_signals_edge"),
        ),
        sa.CheckConstraint(
            "outcome IN ('hit', 'miss', 'none')", name=op.f("ck_market_signals_outcome")
        ),
        sa.CheckConstraint(
            "signal_type IN ('entry', 'exit', 'trend_change', 'volatility', 'volume_spike', 'breakout', 'reversal')",
            name=op.f("ck_market_signals_signal_type"),
        ),
        sa.CheckConstraint(
            "state IN ('active', 'superseded', 'expired', 'resolved')",
            name=op.f("ck_market_signals_state"),
        ),
        sa.CheckConstraint(
            "confidence BETWEEN 0 AND 1", name=op.f("ck_market_signals_confidence_is_a_probability")
        ),
        sa.CheckConstraint(
            "strength BETWEEN -100 AND 100", name=op.f("ck_market_signals_strength_is_possible")
        ),
        sa.ForeignKeyConstraint(
            ["symbol"],
            ["instruments.symbol"],
            name=op.f("fk_market_signals_symbol"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_signals")),
    )
    op.create_index(
        "ix_market_signals_cases",
        "market_signals",
        ["market", "timeframe", "kind", "resolved_at"],
        unique=False,
        postgresql_where=sa.text("counted AND withdrawn_at IS NULL"),
    )
    op.create_index(
        op.f("ix_market_signals_model_id"), "market_signals", ["model_id"], unique=False
    )
    op.create_index(
        op.f("ix_market_signals_signal_type"), "market_signals", ["signal_type"], unique=False
    )
    op.create_index(op.f("ix_market_signals_symbol"), "market_signals", ["symbol"], unique=False)
    op.create_index(
        "ix_market_signals_symbol_valid_from",
        "market_signals",
        ["symbol", "valid_from"],
        unique=False,
    )
    op.create_index(
        "ix_market_signals_valid_from", "market_signals", ["valid_from", "id"], unique=False
    )
    op.create_table(
        "signal_progress",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column("watched_from", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("through", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["symbol"],
            ["instruments.symbol"],
            name=op.f("fk_signal_progress_symbol"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("symbol", "timeframe", name=op.f("pk_signal_progress")),
    )


def downgrade() -> None:
    op.drop_table("signal_progress")
    op.drop_table("market_signals")
