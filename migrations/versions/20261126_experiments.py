"""Experiments between models, and how models drift."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0deaaaa"
down_revision: str | None = "51a7c0de9999"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("champion_id", sa.UUID(), nullable=False),
        sa.Column("challenger_id", sa.UUID(), nullable=False),
        sa.Column("status", sa.Text(), server_default="running", nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("decision", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("mode IN ('shadow', 'ab')", name=op.f("ck_experiments_mode")),
        sa.CheckConstraint(
            "status IN ('running', 'stopped', 'promoted', 'rejected')",
            name=op.f("ck_experiments_status"),
        ),
        sa.CheckConstraint("alpha > 0 AND alpha < 1", name=op.f("ck_experiments_alpha")),
        sa.CheckConstraint("champion_id <> challenger_id", name=op.f("ck_experiments_two_models")),
        sa.CheckConstraint("share > 0 AND share <= 1", name=op.f("ck_experiments_share")),
        sa.ForeignKeyConstraint(
            ["challenger_id"],
            ["models.id"],
            name=op.f("fk_experiments_challenger_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["champion_id"],
            ["models.id"],
            name=op.f("fk_experiments_champion_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["users.id"],
            name=op.f("fk_experiments_created_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
    )
    op.create_table(
        "model_reports",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column(
            "report",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("alarms", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_reports_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_reports")),
    )
    op.create_index(
        op.f("ix_experiments_challenger_id"), "experiments", ["challenger_id"], unique=False
    )
    op.create_index(
        op.f("ix_experiments_champion_id"), "experiments", ["champion_id"], unique=False
    )
    op.create_index(
        "ix_experiments_started_at_id", "experiments", ["started_at", "id"], unique=False
    )
    op.create_index(
        "uq_experiments_running",
        "experiments",
        ["model"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_model_reports_model_id_created_at_id",
        "model_reports",
        ["model_id", "created_at", "id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("model_reports")
    op.drop_table("experiments")
