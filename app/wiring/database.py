"""Open the database that the settings name, at the newest schema.

Imports little: it comes first.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from app.settings import Settings
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.errors import DatabaseRefused
from app.storage.migrate import upgrade

Progress = Callable[[str], None]


class OpenDatabase(NamedTuple):
    """A database, and what it is called in front of people."""

    database: Database
    label: str


@asynccontextmanager
async def open_database(
    settings: Settings, *, on_progress: Progress
) -> AsyncIterator[OpenDatabase]:
    """Open the database the settings name, at the newest schema; yield it and its label."""
    async with AsyncExitStack() as stack:
        if settings.database_url:
            database = Database(settings.database_url)
            label = f"Postgres at {_host_of(settings.database_url)} (DATABASE_URL)"
        else:
            embedded = EmbeddedPostgres(settings.data_dir, on_progress)
            await stack.enter_async_context(embedded)
            database = Database(embedded.connect_kwargs, ensure_room=embedded.ensure_room)
            label = f"embedded Postgres 18 in {embedded.place.base}"
        try:
            await stack.enter_async_context(database)
        except DatabaseRefused as refused:
            raise DatabaseRefused(f"{label}: {refused}") from refused
        await upgrade(database, on_progress)
        yield OpenDatabase(database, label)


def _host_of(url: str) -> str:
    """Return who is meant by a database's address, without the password in it."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'a local socket'}:{parts.port or 5432}{parts.path}"
