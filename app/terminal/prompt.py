"""Read a person's next line without holding up the desk behind it.

The line is read in a thread of its own, with editing and history, because runs, heartbeats and the
journal go on while somebody types. It is a daemon: nobody waits for a line that will not come.
"""

import asyncio
import signal
import sys
import threading
from contextlib import suppress

from app.terminal import modes

with suppress(ImportError):  # not on Windows
    import readline  # noqa: F401 - gives input() its editing and its history

_MARKED = "\001\033[1m\002{}\001\033[0m\002 "
"""Bold; the control characters tell readline which part takes no room."""


async def read_line(prompt: str) -> str | None:
    """Return the next line, or None at the end of input and at Ctrl-C."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()
    shown = _MARKED.format(prompt) if sys.stdin.isatty() and sys.stdout.isatty() else ""

    def settle(read: str | None) -> None:
        if not line.done():
            line.set_result(read)

    def read() -> None:
        try:
            entered: str | None = input(shown)
        except (EOFError, OSError):
            entered = None
        with suppress(RuntimeError):  # the loop has gone, and with it whoever asked
            loop.call_soon_threadsafe(settle, entered)

    with modes.kept():
        loop.add_signal_handler(signal.SIGINT, settle, None)
        try:
            threading.Thread(target=read, name="prompt", daemon=True).start()
            return await line
        finally:
            loop.remove_signal_handler(signal.SIGINT)
