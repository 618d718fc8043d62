"""A desk that a verb works on, opened with a word about it and closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from app.observability.logs import configure_logging
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.wiring.desk import Desk, open_desk


@asynccontextmanager
async def opened_desk(settings: Settings) -> AsyncIterator[tuple[Console, Desk]]:
    """Lend a console to print on, and a desk."""
    configure_logging(level="WARNING", json_lines=settings.log_json)
    with Console(stderr=True).status("Opening the desk …") as status:
        async with open_desk(settings, LocalFollower(), on_progress=status.update) as desk:
            status.stop()
            yield Console(highlight=False), desk
