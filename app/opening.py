"""The first second of `outcry serve`: the database starts while the rest is read from disk.

Imports little itself. What takes long is imported in a thread, in the order in which it is needed:
first what serves, then what the first answer needs.
"""

import asyncio
import importlib
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any

from rich.console import Console

from app.observability.logs import configure_logging
from app.settings import Settings, SettingsError
from app.wiring.database import open_database


async def serve(settings: Settings) -> None:
    """Open the desk, serve it until the process is told to stop, and close it again."""
    configure_logging(level=settings.log_level, json_lines=settings.log_json)
    console = Console(highlight=False)
    say: Callable[[str], None] = lambda text: console.print(f"  {text}", style="dim")  # noqa: E731
    console.print("[bold]Outcry[/bold]")
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings))
        reading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "app.main"))
        stack.push_async_callback(_end, reading)
        stack.push_async_callback(_end, asyncio.create_task(_read_graphs(reading)))
        opened = await stack.enter_async_context(open_database(settings, on_progress=say))
        main = await asyncio.shield(reading)
        await main.serve(settings, opened, listener, console)


async def _read_graphs(reading: asyncio.Task[ModuleType]) -> None:
    """Import what the first answer needs as soon as what serves is there."""
    await asyncio.wait([reading])
    runner = await asyncio.to_thread(importlib.import_module, "agents.runner")
    await asyncio.to_thread(runner.load_graphs)


async def _end(task: asyncio.Task[Any]) -> None:
    """Wait for it no longer. What is wrong with it is told to whoever needs what it imports."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def listen(settings: Settings) -> socket.socket:
    """Take the address before anything slow is done.

    Raises:
        SettingsError: another program has it, or it is not ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another port with --port, or stop the program that has this one."
        ) from None
    listener.setblocking(False)
    return listener
