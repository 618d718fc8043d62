"""Who gave each version of a bar, where that was another than the instrument's own source."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0debbc0"
down_revision: str | None = "51a7c0debbbb"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for table in ("bars", "bar_versions"):
        op.add_column(table, sa.Column("source", sa.Text(), nullable=True))


def downgrade() -> None:
    for table in ("bar_versions", "bars"):
        op.drop_column(table, "source")
