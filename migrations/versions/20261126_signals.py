"""Signals and how they turned out."""

from collections.abc import Sequence

revision: str = "51a7c0de2222"
down_revision: str | None = "51a7c0de1111"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
