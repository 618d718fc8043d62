"""How far each live feed has been read."""

from collections.abc import Sequence

revision: str = "51a7c0de5555"
down_revision: str | None = "51a7c0de4444"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
