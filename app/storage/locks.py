"""Locks between processes that a crash releases: `flock` on small files, waited for politely."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_S = 0.02


def open_lock(path: Path) -> int:
    """Return a descriptor to lock; children do not inherit it."""
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock if nobody holds it against us. A shared lock may be raised to exclusive."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Tell whether any process holds the lock."""
    descriptor = open_lock(path)
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


async def until_free(path: Path, *, poll_s: float) -> None:
    """Return once no process holds the lock."""
    # Nobody tells when a file lock is given back.
    while is_held(path):  # noqa: ASYNC110
        await asyncio.sleep(poll_s)


@asynccontextmanager
async def exclusive(
    path: Path, *, timeout_s: float, on_wait: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """Hold the lock meanwhile.

    Raises:
        TimeoutError: others hold it too long.
    """
    descriptor = open_lock(path)
    try:
        if not try_lock(descriptor):
            on_wait()
            async with asyncio.timeout(timeout_s):
                # Nobody tells when a file lock is given back.
                while not try_lock(descriptor):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
