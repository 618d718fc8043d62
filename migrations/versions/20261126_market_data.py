"""Market data: versions of bars, corporate actions, suspects."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0de1111"
down_revision: str | None = "8683f5158156"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "bar_series",
        sa.Column("instrument_id", sa.UUID(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("adjusted_until", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "basis IN ('as_traded', 'split_adjusted')", name=op.f("ck_bar_series_basis")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_bar_series_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instrument_id", "timeframe", name=op.f("pk_bar_series")),
    )
    op.create_table(
        "bar_suspects",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("instrument_id", sa.UUID(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=False),
        sa.Column("adjusted_close", sa.Double(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("possible", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default="quarantined", nullable=False),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("decided_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "open NOT IN ('NaN', 'Infinity', '-Infinity') AND high NOT IN ('NaN', 'Infinity', '-Infinity') AND low NOT IN ('NaN', 'Infinity', '-Infinity') AND close NOT IN ('NaN', 'Infinity', '-Infinity') AND volume NOT IN ('NaN', 'Infinity', '-Infinity') AND adjusted_close NOT IN ('NaN', 'Infinity', '-Infinity')",
            name=op.f("ck_bar_suspects_prices_are_numbers"),
        ),
        sa.CheckConstraint(
            "status IN ('quarantined', 'accepted', 'rejected')", name=op.f("ck_bar_suspects_status")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_bar_suspects_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bar_suspects")),
        sa.UniqueConstraint(
            "instrument_id",
            "timeframe",
            "timestamp",
            "open",
            "high",
            "low",
            "close",
            "volume",
            name="uq_bar_suspects_same",
        ),
    )
    op.create_index(
        "ix_bar_suspects_quarantined",
        "bar_suspects",
        ["instrument_id"],
        unique=False,
        postgresql_where=sa.text("status = 'quarantined'"),
    )
    op.create_table(
        "bar_versions",
        sa.Column("instrument_id", sa.UUID(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=False),
        sa.Column("adjusted_close", sa.Double(), nullable=True),
        sa.Column("known_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_bar_versions_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "instrument_id", "timeframe", "timestamp", "known_at", name=op.f("pk_bar_versions")
        ),
    )
    op.create_table(
        "corporate_actions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("instrument_id", sa.UUID(), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("new_shares", sa.Numeric(), nullable=True),
        sa.Column("old_shares", sa.Numeric(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("new_symbol", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("known_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'split') = (new_shares IS NOT NULL AND old_shares IS NOT NULL)",
            name=op.f("ck_corporate_actions_splits_have_a_ratio"),
        ),
        sa.CheckConstraint(
            "(kind IN ('dividend', 'special_dividend')) = (amount IS NOT NULL)",
            name=op.f("ck_corporate_actions_dividends_have_an_amount"),
        ),
        sa.CheckConstraint("amount <> 'NaN'", name=op.f("ck_corporate_actions_amount_is_a_number")),
        sa.CheckConstraint(
            "kind IN ('split', 'dividend', 'special_dividend', 'symbol_change', 'delisting')",
            name=op.f("ck_corporate_actions_kind"),
        ),
        sa.CheckConstraint(
            "new_shares <> 'NaN'", name=op.f("ck_corporate_actions_new_shares_is_a_number")
        ),
        sa.CheckConstraint(
            "old_shares <> 'NaN'", name=op.f("ck_corporate_actions_old_shares_is_a_number")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_corporate_actions_amount_is_positive")),
        sa.CheckConstraint(
            "new_shares > 0 AND old_shares > 0",
            name=op.f("ck_corporate_actions_ratios_are_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_corporate_actions_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corporate_actions")),
    )
    op.create_index(
        "ix_corporate_actions_instrument_id", "corporate_actions", ["instrument_id"], unique=False
    )
    op.create_index(
        "uq_corporate_actions_valid",
        "corporate_actions",
        ["instrument_id", "ex_date", "kind"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "former_symbols",
        sa.Column("instrument_id", sa.UUID(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_former_symbols_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "instrument_id", "symbol", "valid_to", name=op.f("pk_former_symbols")
        ),
    )
    op.create_index("ix_former_symbols_symbol", "former_symbols", ["symbol"], unique=False)
    op.add_column("instruments", sa.Column("listed_on", sa.Date(), nullable=True))
    op.add_column("instruments", sa.Column("delisted_on", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("instruments", "delisted_on")
    op.drop_column("instruments", "listed_on")
    op.drop_index("ix_former_symbols_symbol", table_name="former_symbols")
    op.drop_table("former_symbols")
    op.drop_index(
        "uq_corporate_actions_valid",
        table_name="corporate_actions",
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.drop_index("ix_corporate_actions_instrument_id", table_name="corporate_actions")
    op.drop_table("corporate_actions")
    op.drop_table("bar_versions")
    op.drop_index(
        "ix_bar_suspects_quarantined",
        table_name="bar_suspects",
        postgresql_where=sa.text("status = 'quarantined'"),
    )
    op.drop_table("bar_suspects")
    op.drop_table("bar_series")
