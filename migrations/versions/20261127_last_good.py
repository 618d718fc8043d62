"""Which version answered when the one on another server could not."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0debbc2"
down_revision: str | None = "51a7c0debbc1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("predictions", sa.Column("asked_model_id", sa.UUID(), nullable=True))
    op.add_column("predictions", sa.Column("degraded_because", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_predictions_asked_model_id"),
        "predictions",
        "models",
        ["asked_model_id"],
        ["id"],
        ondelete="RESTRICT",
    )
    # Nothing has ever set it; whatever did would lack its reason.
    op.execute("UPDATE predictions SET degraded = false WHERE degraded")
    op.create_check_constraint(
        op.f("ck_predictions_degraded_says_why"),
        "predictions",
        "degraded = (asked_model_id IS NOT NULL) AND degraded = (degraded_because IS NOT NULL)",
    )
    op.create_index(
        "ix_predictions_asked_model_id",
        "predictions",
        ["asked_model_id", "created_at"],
        postgresql_where=sa.text("asked_model_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_predictions_asked_model_id", table_name="predictions")
    op.drop_constraint(op.f("ck_predictions_degraded_says_why"), "predictions", type_="check")
    op.drop_constraint(op.f("fk_predictions_asked_model_id"), "predictions", type_="foreignkey")
    op.drop_column("predictions", "degraded_because")
    op.drop_column("predictions", "asked_model_id")
