"""Models, their aliases, and what happened to them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51a7c0de8888"
down_revision: str | None = "51a7c0de7777"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RULES = "0a2c517e-22ab-57fc-998c-5db8af516240"
"""`tools.signal_views.RULES` as it was when this was written."""


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("framework", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "performance",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("deployment_url", sa.Text(), nullable=True),
        sa.Column("training_dataset_id", sa.UUID(), nullable=True),
        sa.Column("training_dataset_version_id", sa.UUID(), nullable=True),
        sa.Column(
            "validation_metrics",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("artifact", sa.Text(), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("timeframe", sa.Text(), nullable=True),
        sa.Column("horizon_bars", sa.Integer(), nullable=True),
        sa.Column("knowledge_cutoff", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("deployed_despite", sa.Text(), nullable=True),
        sa.Column("quarantined_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("trained_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deployed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deprecated_at", sa.TIMESTAMP(timezone=True), nullable=True),
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
            "framework IN ('tensorflow', 'pytorch', 'scikit_learn', 'xgboost', 'openai', 'anthropic', 'huggingface', 'onnx', 'numpy')",
            name=op.f("ck_models_framework"),
        ),
        sa.CheckConstraint(
            "status IN ('training', 'validating', 'ready', 'deployed', 'deprecated', 'failed')",
            name=op.f("ck_models_status"),
        ),
        sa.CheckConstraint(
            "type IN ('classification', 'regression', 'time_series', 'nlp', 'reinforcement', 'generative')",
            name=op.f("ck_models_type"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_models_created_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["training_dataset_id"],
            ["datasets.id"],
            name=op.f("fk_models_training_dataset_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["training_dataset_version_id"],
            ["dataset_versions.id"],
            name=op.f("fk_models_training_dataset_version_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_models_name_version")),
    )
    op.create_table(
        "model_aliases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_aliases_model_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("name", "alias", name=op.f("pk_model_aliases")),
    )
    op.create_table(
        "model_events",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("model_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_events_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_model_events_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_events")),
    )
    op.create_index("ix_models_created_at_id", "models", ["created_at", "id"], unique=False)
    op.create_index("ix_models_task_status", "models", ["task", "status"], unique=False)
    op.create_index("ix_models_artifact", "models", ["artifact"], unique=False)
    op.create_index(
        op.f("ix_models_training_dataset_id"), "models", ["training_dataset_id"], unique=False
    )
    op.create_index(op.f("ix_model_aliases_model_id"), "model_aliases", ["model_id"], unique=False)
    op.create_index(
        "ix_model_events_model_id_created_at_id",
        "model_events",
        ["model_id", "created_at", "id"],
        unique=False,
    )
    _adopt_rule_sets()


def _adopt_rule_sets() -> None:
    """Make a model of every rule set that signals name, and of today's; then bind them to it."""
    op.execute(
        f"""
        INSERT INTO models (id, name, version, type, framework, architecture, status, task,
                            parameters, deployed_at, deprecated_at)
        SELECT id, 'market-signals',
               CASE WHEN id = '{_RULES}' THEN 'rules-2' ELSE 'rules-' || id END,
               'classification', 'numpy', 'rules',
               CASE WHEN id = '{_RULES}' THEN 'deployed' ELSE 'deprecated' END, 'signals',
               '{{"customParams": {{"definedIn": "tools/analytics"}}}}'::jsonb,
               CASE WHEN id = '{_RULES}' THEN now() END,
               CASE WHEN id <> '{_RULES}' THEN now() END
          FROM (SELECT '{_RULES}'::uuid AS id
                 UNION SELECT DISTINCT model_id FROM market_signals) AS used
        """
    )
    op.execute(
        f"""
        INSERT INTO model_aliases (name, alias, model_id)
        VALUES ('market-signals', 'champion', '{_RULES}')
        """
    )
    op.create_foreign_key(
        op.f("fk_market_signals_model_id"),
        "market_signals",
        "models",
        ["model_id"],
        ["id"],
        ondelete="RESTRICT",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_market_signals_model_id"), "market_signals", type_="foreignkey")
    op.drop_table("model_events")
    op.drop_table("model_aliases")
    op.drop_table("models")
