"""Experiments between models, and how models drift."""

from collections.abc import Sequence

revision: str = "51a7c0deaaaa"
down_revision: str | None = "51a7c0de9999"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
