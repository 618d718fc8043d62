"""News with its sentiment, and fundamentals."""

from collections.abc import Sequence

revision: str = "51a7c0de3333"
down_revision: str | None = "51a7c0de2222"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
