"""Market data: versions of bars, corporate actions, suspects."""

from collections.abc import Sequence

revision: str = "51a7c0de1111"
down_revision: str | None = "8683f5158156"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
