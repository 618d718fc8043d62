"""Which version answered when the one on another server could not."""

from collections.abc import Sequence

revision: str = "51a7c0debbc2"
down_revision: str | None = "51a7c0debbc1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
