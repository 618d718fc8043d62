"""Run `outcry` in a pipe or in a pseudo-terminal, and tell what it printed and how it ended."""

import asyncio
import os
import pty
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.faults.server import ROOT

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WAIT_S = 45


class Done(msgspec.Struct, frozen=True):
    """How a command ended."""

    rc: int
    out: str
    err: str


class Command(msgspec.Struct):
    """`outcry` with a data directory and an environment."""

    data_dir: Path
    more: dict[str, str] = {}

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "OUTCRY_DEMO_FETCH": "0",
            "OUTCRY_DEFAULT_MODELS": "0",
            "DATA_DIR": str(self.data_dir),
            "PYTHONIOENCODING": "utf-8",
            **self.more,
        }

    async def __call__(self, *arguments: str, given: str = "") -> Done:
        """Run it in a pipe, with `given` on standard input."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", *arguments),
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_WAIT_S):
            out, err = await process.communicate(given.encode())
        return Done(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def terminal(self, *arguments: str) -> AsyncIterator["Terminal"]:
        """Run it in a pseudo-terminal of 80 columns; it is killed if it is still there."""
        here, there = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", *arguments),
            cwd=ROOT,
            env={**self._environment, "TERM": "xterm-256color", "COLUMNS": "80"},
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(there)
        terminal = Terminal(here, process)
        try:
            yield terminal
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            terminal.close()


def _take_terminal() -> None:
    """Make the pseudo-terminal the one whose Ctrl-C reaches this process."""
    import fcntl  # noqa: PLC0415 - runs in the child, between fork and exec
    import termios  # noqa: PLC0415

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """The person's side of a pseudo-terminal."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self._descriptor = descriptor
        self._process = process
        self._read = ""
        self._position = 0
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._take)

    def _take(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side has gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._read += data.decode(errors="replace")
        self._changed.set()

    @property
    def shown(self) -> str:
        """Everything printed so far, without the escapes that move and colour it."""
        return _ESCAPES.sub("", self._read)

    async def until(self, text: str) -> None:
        """Wait until `text` is printed, after what was waited for before."""
        async with asyncio.timeout(_WAIT_S):
            while (found := self.shown.find(text, self._position)) < 0:
                self._changed.clear()
                await self._changed.wait()
        self._position = found + len(text)

    def type(self, keys: str) -> None:
        """Press keys; \x03 is Ctrl-C, \x04 Ctrl-D."""
        os.write(self._descriptor, keys.encode())

    async def ended(self) -> int:
        """Wait for the program's end; return its exit code."""
        async with asyncio.timeout(_WAIT_S):
            return await self._process.wait()

    def close(self) -> None:
        """Hang up."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
