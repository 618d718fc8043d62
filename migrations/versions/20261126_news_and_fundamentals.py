"""News with its sentiment, and fundamentals."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0de3333"
down_revision: str | None = "51a7c0de2222"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, default_now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if default_now else None
    return sa.Column(name, sa.TIMESTAMP(timezone=True), server_default=default, nullable=False)


def upgrade() -> None:
    op.create_table(
        "news",
        sa.Column("id", sa.UUID(), nullable=False),
        _text("fingerprint"),
        _text("type"),
        _text("source_name"),
        _text("title"),
        _text("body", nullable=True),
        _text("url", nullable=True),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("symbols", postgresql.ARRAY(sa.Text()), nullable=False),
        _time("published_at"),
        _time("known_at"),
        sa.Column("positive", sa.Double(), nullable=False),
        sa.Column("neutral", sa.Double(), nullable=False),
        sa.Column("negative", sa.Double(), nullable=False),
        _text("scorer"),
        sa.Column("keywords", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("synthetic", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("duplicate_of", sa.UUID(), nullable=True),
        _time("ingested_at", default_now=True),
        sa.CheckConstraint("type IN ('news', 'social', 'analyst')", name=op.f("ck_news_type")),
        sa.CheckConstraint(
            "positive BETWEEN 0 AND 1 AND neutral BETWEEN 0 AND 1 AND negative BETWEEN 0 AND 1",
            name=op.f("ck_news_probabilities"),
        ),
        sa.CheckConstraint(
            "known_at >= published_at", name=op.f("ck_news_known_after_it_was_published")
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of"],
            ["news.id"],
            name=op.f("fk_news_duplicate_of"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_news")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_news_fingerprint")),
    )
    op.create_index("ix_news_duplicate_of", "news", ["duplicate_of"])
    op.create_index("ix_news_published_at_id", "news", ["published_at", "id"])
    op.create_index("ix_news_symbols", "news", ["symbols"], postgresql_using="gin")
    money = ("revenue", "net_income", "equity", "total_debt", "shares", "dividends_per_share")
    op.create_table(
        "statements",
        sa.Column("id", sa.UUID(), nullable=False),
        _text("symbol"),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("months", sa.SmallInteger(), nullable=False),
        _time("published_at"),
        _text("currency"),
        *(sa.Column(name, sa.Numeric(30, 6), nullable=True) for name in money),
        _text("source"),
        sa.Column(
            "provenance",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        _time("ingested_at", default_now=True),
        sa.CheckConstraint("months IN (3, 6, 9, 12)", name=op.f("ck_statements_months")),
        *(
            sa.CheckConstraint(f"{name} <> 'NaN'", name=op.f(f"ck_statements_{name}_is_a_number"))
            for name in money
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        sa.UniqueConstraint(
            "symbol",
            "period_end",
            "months",
            "published_at",
            name=op.f("uq_statements_symbol_period_end_months_published_at"),
        ),
    )


def downgrade() -> None:
    op.drop_table("statements")
    op.drop_table("news")
