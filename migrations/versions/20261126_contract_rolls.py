"""Futures: contracts, the series made of them, and rolls among the actions."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "51a7c0debbb0"
down_revision: str | None = "51a7c0deaaaa"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KINDS = "kind IN ('split', 'dividend', 'special_dividend', 'symbol_change', 'delisting'"


def upgrade() -> None:
    for name, kind in (
        ("root", sa.Text()),
        ("expires_on", sa.Date()),
        ("rolls_on", sa.Date()),
        ("roll_rule", sa.Text()),
        ("roll_adjustment", sa.Text()),
    ):
        op.add_column("instruments", sa.Column(name, kind, nullable=True))
    for name, rule in (
        ("roll_rule", "roll_rule IN ('date', 'volume')"),
        ("roll_adjustment", "roll_adjustment IN ('ratio', 'difference')"),
        (
            "contract_or_series",
            "CASE WHEN root IS NULL THEN num_nonnulls(expires_on, roll_rule, roll_adjustment) = 0"
            " WHEN expires_on IS NULL THEN num_nonnulls(roll_rule, roll_adjustment) = 2"
            " ELSE num_nonnulls(roll_rule, roll_adjustment) = 0 END",
        ),
        ("rolls_before_it_expires", "rolls_on <= expires_on"),
    ):
        op.create_check_constraint(op.f(f"ck_instruments_{name}"), "instruments", rule)
    op.create_index(
        "uq_instruments_root_expires_on",
        "instruments",
        ["root", "expires_on"],
        unique=True,
        postgresql_where=sa.text("expires_on IS NOT NULL"),
    )
    for name, kind in (
        ("from_contract", sa.Text()),
        ("to_contract", sa.Text()),
        ("from_price", sa.Numeric()),
        ("to_price", sa.Numeric()),
        ("adjustment", sa.Text()),
    ):
        op.add_column("corporate_actions", sa.Column(name, kind, nullable=True))
    op.drop_constraint(op.f("ck_corporate_actions_kind"), "corporate_actions")
    for name, rule in (
        ("kind", f"{_KINDS}, 'roll')"),
        ("adjustment", "adjustment IN ('ratio', 'difference')"),
        ("from_price_is_a_number", "from_price <> 'NaN'"),
        ("to_price_is_a_number", "to_price <> 'NaN'"),
        (
            "rolls_have_both_contracts",
            "num_nonnulls(from_contract, to_contract, from_price, to_price, adjustment)"
            " = CASE WHEN kind = 'roll' THEN 5 ELSE 0 END",
        ),
        ("ratios_of_prices", "adjustment <> 'ratio' OR (from_price > 0 AND to_price > 0)"),
    ):
        op.create_check_constraint(op.f(f"ck_corporate_actions_{name}"), "corporate_actions", rule)


def downgrade() -> None:
    op.execute("DELETE FROM corporate_actions WHERE kind = 'roll'")
    for name in ("from_contract", "to_contract", "from_price", "to_price", "adjustment"):
        # The rules on a column go with it.
        op.drop_column("corporate_actions", name)
    op.drop_constraint(op.f("ck_corporate_actions_kind"), "corporate_actions")
    op.create_check_constraint(op.f("ck_corporate_actions_kind"), "corporate_actions", f"{_KINDS})")
    op.drop_index("uq_instruments_root_expires_on", table_name="instruments")
    for name in ("root", "expires_on", "rolls_on", "roll_rule", "roll_adjustment"):
        op.drop_column("instruments", name)
