"""Alerts and the episodes they fired in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0de4444"
down_revision: str | None = "51a7c0de3333"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TIME = sa.TIMESTAMP(timezone=True)
_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("condition", _JSON, nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("agent_id", sa.UUID(), nullable=True),
        sa.Column("rules", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("watch", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_off", sa.Text(), nullable=True),
        sa.Column("secret_key_id", sa.Text(), nullable=True),
        sa.Column("secret_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("last_bar_time", _TIME, nullable=True),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.Column("last_fired_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('active', 'paused')", name=op.f("ck_alerts_status")),
        sa.CheckConstraint(
            "last_result IN ('true', 'false', 'unknown', 'unreliable')",
            name=op.f("ck_alerts_last_result"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_alerts_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_alerts_agent_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_user_id_created_at_id", "alerts", ["user_id", "created_at", "id"])
    op.create_index(
        "ix_alerts_watching",
        "alerts",
        ["symbol", "timeframe"],
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "alert_episodes",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("alert_id", sa.UUID(), nullable=False),
        sa.Column("bar_time", _TIME, nullable=False),
        sa.Column("fired_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("ended_bar_time", _TIME, nullable=True),
        sa.Column("evidence", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("conversation_id", sa.UUID(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_episodes_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_episodes")),
        sa.UniqueConstraint(
            "alert_id", "bar_time", name=op.f("uq_alert_episodes_alert_id_bar_time")
        ),
    )
    op.create_index(
        "ix_alert_episodes_alert_id_fired_at_id", "alert_episodes", ["alert_id", "fired_at", "id"]
    )
    op.create_index(
        "ix_alert_episodes_unopened",
        "alert_episodes",
        ["fired_at"],
        postgresql_where=sa.text("opened_at IS NULL"),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')", name=op.f("ck_alert_deliveries_status")
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["alert_episodes.id"],
            name=op.f("fk_alert_deliveries_episode_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint("episode_id", name=op.f("uq_alert_deliveries_episode_id")),
    )
    op.create_index(
        "ix_alert_deliveries_due",
        "alert_deliveries",
        ["next_attempt_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    _allow_modes("answer", "regenerate", "edit", "alert")


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE mode = 'alert'")
    _allow_modes("answer", "regenerate", "edit")
    op.drop_table("alert_deliveries")
    op.drop_table("alert_episodes")
    op.drop_table("alerts")


def _allow_modes(*modes: str) -> None:
    listed = ", ".join(f"'{mode}'" for mode in modes)
    op.drop_constraint(op.f("ck_runs_mode"), "runs", type_="check")
    op.create_check_constraint(op.f("ck_runs_mode"), "runs", f"mode IN ({listed})")
