"""Run migrations on the connection that `app.storage.migrate` hands over, or open one.

The `alembic` command (to write a new version, say) uses `DATABASE_URL`, or the embedded Postgres
in `DATA_DIR`. Locks are waited for briefly: a migration must not stop a busy desk.
"""

import asyncio

import sqlalchemy as sa
from alembic import context

from app.storage.migrate import LOCK_TIMEOUT, STATEMENT_TIMEOUT, command_line_connection
from app.storage.schema import metadata


def migrate(connection: sa.Connection) -> None:
    """Run what the command asks for on an open connection."""
    connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(sa.text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_from_command_line() -> None:
    async with command_line_connection() as connection:
        await connection.run_sync(migrate)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(migrate_from_command_line())
