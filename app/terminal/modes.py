"""How the terminal itself behaves: what it echoes, and that it is left as it was found."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    import termios
except ImportError:  # not on Windows
    termios = None  # type: ignore[assignment]

_LOCAL_FLAGS = 3


@contextmanager
def kept() -> Iterator[None]:
    """Put the terminal back as it was, also when a reading thread is left behind."""
    before = _modes()
    try:
        yield
    finally:
        _set(before)


@contextmanager
def without_echo() -> Iterator[None]:
    """Show no keys, "^C" among them: they would push what is drawn out of its place.

    What is typed meanwhile is kept for whoever reads next.
    """
    with kept():
        modes = _modes()
        if modes is not None:
            modes[_LOCAL_FLAGS] &= ~termios.ECHO
        _set(modes)
        yield


def _modes() -> list[Any] | None:
    if termios is None or not sys.stdin.isatty():
        return None
    return termios.tcgetattr(sys.stdin)


def _set(modes: list[Any] | None) -> None:
    if modes is not None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)
