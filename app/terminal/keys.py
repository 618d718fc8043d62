"""Single keys while a command works: no Enter needed, and the terminal is left as it was found."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.terminal.modes import kept

try:
    import tty
except ImportError:  # not on Windows
    tty = None  # type: ignore[assignment]


@contextmanager
def keys(pressed: Callable[[str], None]) -> Iterator[bool]:
    """Call `pressed` with each key while inside; yield whether there is a keyboard to read."""
    if tty is None or not sys.stdin.isatty():
        yield False
        return
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    with kept():
        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, lambda: pressed(sys.stdin.read(1)))
        try:
            yield True
        finally:
            loop.remove_reader(descriptor)
