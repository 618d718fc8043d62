"""The database for verbs that need no desk around it, which would take longer to open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from app.domain.ids import UserId
from app.observability.logs import configure_logging
from app.settings import Settings
from app.storage.accounts import Accounts
from app.storage.engine import Database
from app.wiring.database import open_database


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[tuple[Database, UserId | None]]:
    """Lend the database, and the first admin: whoever has this terminal."""
    configure_logging(level="ERROR", json_lines=settings.log_json)
    with Console(stderr=True).status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, _):
            status.stop()
            users = await Accounts(database).users()
            owner = next((user.id for user in users if user.role == "admin"), None)
            yield database, owner
