"""What the watch over models raised, until somebody has seen it."""

from collections.abc import Sequence

revision: str = "51a7c0debbc3"
down_revision: str | None = "51a7c0debbc2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
