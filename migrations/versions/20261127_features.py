"""Values of features: which were known when, for models that read them online."""

from collections.abc import Sequence

revision: str = "51a7c0debbc1"
down_revision: str | None = "51a7c0debbc0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
