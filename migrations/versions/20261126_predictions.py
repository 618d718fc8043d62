"""Predictions, their outcomes and feedback."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0de9999"
down_revision: str | None = "51a7c0de8888"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column(
            "input",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("output", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column(
            "confidence_basis",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("degraded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("baseline", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("interval", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("event", sa.Text(), server_default="", nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("timeframe", sa.Text(), nullable=True),
        sa.Column("horizon_bars", sa.Integer(), nullable=True),
        sa.Column("as_of", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("resolves_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("feature_hash", sa.Text(), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("baseline_loss", sa.Double(), nullable=True),
        sa.Column("pit", sa.Double(), nullable=True),
        sa.Column("resolved_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("feedback", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("shadow_of", sa.UUID(), nullable=True),
        sa.Column("experiment_id", sa.UUID(), nullable=True),
        sa.Column("variant", sa.Text(), nullable=True),
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
        sa.CheckConstraint("grade IN ('hit', 'miss', 'none')", name=op.f("ck_predictions_grade")),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'completed', 'failed', 'timeout')",
            name=op.f("ck_predictions_status"),
        ),
        sa.CheckConstraint(
            "confidence BETWEEN 0 AND 1", name=op.f("ck_predictions_confidence_is_a_probability")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_predictions_job_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_predictions_model_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_predictions_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
    )
    op.create_index(op.f("ix_predictions_confidence"), "predictions", ["confidence"], unique=False)
    op.create_index("ix_predictions_created_at", "predictions", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_predictions_experiment_id", "predictions", ["experiment_id", "variant"], unique=False
    )
    op.create_index(op.f("ix_predictions_job_id"), "predictions", ["job_id"], unique=False)
    op.create_index(op.f("ix_predictions_model_id"), "predictions", ["model_id"], unique=False)
    op.create_index(op.f("ix_predictions_status"), "predictions", ["status"], unique=False)
    op.create_index(
        "ix_predictions_symbol_task_as_of", "predictions", ["symbol", "task", "as_of"], unique=False
    )
    op.create_index(
        "ix_predictions_unsettled",
        "predictions",
        ["resolves_at"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL AND resolves_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_predictions_user_id"), "predictions", ["user_id"], unique=False)
    op.create_index(
        "uq_predictions_request",
        "predictions",
        [
            sa.literal_column("coalesce(user_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            "request_id",
        ],
        unique=True,
        postgresql_where=sa.text("shadow_of IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("predictions")
