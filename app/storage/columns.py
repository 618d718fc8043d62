"""What the table modules share: one metadata, its naming rules, and columns of the usual kinds."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def uuid(name: str, *args: sa.schema.SchemaItem, **kwargs: object) -> sa.Column:  # type: ignore[type-arg]
    """Return an id column."""
    kwargs.setdefault("nullable", False)
    return sa.Column(name, UUID(as_uuid=True), *args, **kwargs)  # type: ignore[arg-type]


def time(name: str, *, nullable: bool = False, default_now: bool = False) -> sa.Column:  # type: ignore[type-arg]
    """Return a UTC time column."""
    default = sa.text("now()") if default_now else None
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable, server_default=default)


def json(name: str, *, nullable: bool = False, default: str | None = "{}") -> sa.Column:  # type: ignore[type-arg]
    """Return a JSON column; empty by default."""
    server_default = sa.text(f"'{default}'::jsonb") if default and not nullable else None
    return sa.Column(name, JSONB, nullable=nullable, server_default=server_default)


def money(name: str, *, nullable: bool = True) -> sa.Column:  # type: ignore[type-arg]
    """Return an exact amount; say `not_nan` of it too."""
    return sa.Column(name, sa.Numeric(24, 12), nullable=nullable)


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """Return the check that a column holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def not_nan(column: str) -> sa.CheckConstraint:
    """Return the check that keeps NaN out, which Postgres would sort above every number."""
    return sa.CheckConstraint(f"{column} <> 'NaN'", name=f"{column}_is_a_number")
