"""Up to where each person has read each conversation."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0debbbb"
down_revision: str | None = "51a7c0debbb1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "read_positions",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("conversation_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "read_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_read_positions_seq_is_a_place")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_read_positions_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_read_positions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name=op.f("pk_read_positions")),
    )
    op.create_index(
        op.f("ix_read_positions_conversation_id"), "read_positions", ["conversation_id"]
    )
    # Nobody knows what was read before: nothing of it counts as missed.
    op.execute(
        """
        INSERT INTO read_positions (user_id, conversation_id, seq)
        SELECT c.user_id, c.id,
               greatest(c.last_seq, coalesce((SELECT max(seq) FROM run_events e
                                               WHERE e.conversation_id = c.id), 0))
          FROM conversations c
        """
    )


def downgrade() -> None:
    op.drop_table("read_positions")
