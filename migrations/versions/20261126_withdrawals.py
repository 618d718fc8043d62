"""Episodes that are withdrawn, and what is sent of that."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0debbb1"
down_revision: str | None = "51a7c0debbb0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name, kind in (
        ("withdrawn_at", sa.TIMESTAMP(timezone=True)),
        ("withdrawn_because", sa.Text()),
        ("withdrawal_told_at", sa.TIMESTAMP(timezone=True)),
    ):
        op.add_column("alert_episodes", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_alert_episodes_withdrawn",
        "alert_episodes",
        ["withdrawn_at"],
        unique=False,
        postgresql_where=sa.text("withdrawn_at IS NOT NULL AND withdrawal_told_at IS NULL"),
    )
    op.add_column(
        "alert_deliveries",
        sa.Column("event", sa.Text(), server_default="fired", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_alert_deliveries_event"), "alert_deliveries", "event IN ('fired', 'withdrawn')"
    )
    op.drop_constraint(op.f("uq_alert_deliveries_episode_id"), "alert_deliveries")
    op.create_unique_constraint(
        op.f("uq_alert_deliveries_episode_id_event"), "alert_deliveries", ["episode_id", "event"]
    )


def downgrade() -> None:
    op.execute("DELETE FROM alert_deliveries WHERE event <> 'fired'")
    op.drop_constraint(op.f("uq_alert_deliveries_episode_id_event"), "alert_deliveries")
    op.create_unique_constraint(
        op.f("uq_alert_deliveries_episode_id"), "alert_deliveries", ["episode_id"]
    )
    # Its rule goes with it.
    op.drop_column("alert_deliveries", "event")
    op.drop_index("ix_alert_episodes_withdrawn", table_name="alert_episodes")
    for name in ("withdrawn_at", "withdrawn_because", "withdrawal_told_at"):
        op.drop_column("alert_episodes", name)
