"""One worker process and the line to it: start it, send frames, hear frames, notice its end.

Knows nothing of batches. The process is spawned, not forked: it shares nothing with the desk but
one socket.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import cast

import msgspec

from inference.engine.frames import (
    HEADER_BYTES,
    FromWorker,
    ToWorker,
    frame,
    length_of,
    read_from_worker,
)
from inference.runtimes.connections import VARIABLE, Connection, write_connections

_ROOT = Path(__file__).resolve().parents[2]
_REAP_S = 5.0
_BUFFER_BYTES = 4 * 2**20
_NOT_FOR_MODELS = frozenset(
    (
        "OUTCRY_SECRET_KEY", "OUTCRY_ADMIN_PASSWORD", "DATABASE_URL", "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "COHERE_API_KEY", "HF_TOKEN", "VLLM_API_KEY",
    )
)  # fmt: skip
"""Keys of providers reach the worker as connections, which it takes out of its environment."""


@dataclass(frozen=True)
class WorkerCommand:
    """How a worker is started."""

    catalog: str = "inference.runtimes.catalog:runtime_for"
    device: str = "auto"
    memory_mib: int = 0
    threads: int = 0
    """Threads of one computation; 0 leaves it to each framework."""
    connections: Mapping[str, Connection] = field(default_factory=dict)
    """Providers that models of the runtimes `openai` and `anthropic` may ask, by name."""

    def arguments(self, descriptor: int) -> list[str]:
        """Return the command line."""
        return [
            sys.executable,
            "-m",
            "inference.engine.worker",
            f"--fd={descriptor}",
            f"--catalog={self.catalog}",
            f"--device={self.device}",
            f"--memory-mib={self.memory_mib}",
        ]

    def environment(self) -> dict[str, str]:
        """Return what the worker may know: nothing of who signs in, nor where rows are kept."""
        known = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_MODELS}
        # BLAS on small matrices is faster on one thread, and adds up in the same order always.
        known.setdefault("OPENBLAS_NUM_THREADS", "1")
        if self.threads:
            known["OMP_NUM_THREADS"] = str(self.threads)
        if self.connections:
            known[VARIABLE] = write_connections(self.connections)
        paths = [str(_ROOT), *filter(None, [known.get("PYTHONPATH")])]
        known["PYTHONPATH"] = os.pathsep.join(paths)
        return known


class WorkerProcess(asyncio.Protocol):
    """The desk's end of the line."""

    def __init__(
        self,
        on_frame: Callable[[FromWorker], None],
        on_lost: Callable[["WorkerProcess", str], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reaping: asyncio.Task[None] | None = None
        self._why = ""
        self.heard_at = 0.0
        """When the last frame came, on the monotonic clock."""

    async def start(self, command: WorkerCommand) -> None:
        """Start the process; it says `Ready` when it has.

        Raises:
            OSError: it cannot be started.
        """
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            # As much as the system allows: a large batch then passes in fewer pieces.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        spawning = asyncio.ensure_future(asyncio.to_thread(_spawn, command, theirs))
        try:
            self._process = await asyncio.shield(spawning)
            ours.setblocking(False)
            self.heard_at = monotonic()
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            # Whoever stops waiting while the process is being made must not leave it behind.
            with suppress(OSError):
                self._process = await spawning
                self._process.kill()
            ours.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def send(self, message: ToWorker) -> None:
        """Send one frame; after the end of the process it goes nowhere."""
        if self._transport is not None and not self._transport.is_closing():
            for piece in frame(message):
                self._transport.write(piece)

    def kill(self, why: str) -> None:
        """End the process at once; `on_lost` follows."""
        self._why = self._why or why
        if self._process is not None:
            self._process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Hang up, which makes the process end, and see to it that it did."""
        self._on_lost = lambda *_: None
        if self._transport is not None:
            self._transport.close()
        await self._reap()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the line."""
        # A stream; uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over every whole frame."""
        self.heard_at = monotonic()
        received = self._received
        received += data
        start = 0
        while len(received) - start >= HEADER_BYTES:
            try:
                end = start + HEADER_BYTES + length_of(received[start : start + HEADER_BYTES])
                if len(received) < end:
                    break
                message = read_from_worker(memoryview(received)[start + HEADER_BYTES : end])
            except (ValueError, msgspec.MsgspecError) as wrong:
                self.kill(f"it sent what is no frame: {wrong}")
                return
            start = end
            self._on_frame(message)
        del received[:start]

    def connection_lost(self, error: Exception | None) -> None:
        """Say that it has gone, with its exit code once that is known."""
        self._reaping = asyncio.get_running_loop().create_task(self._tell_lost())

    async def _tell_lost(self) -> None:
        await self._reap()
        code = None if self._process is None else self._process.returncode
        self._on_lost(self, self._why or _in_words(code))

    async def _reap(self) -> None:
        process = self._process
        if process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, _REAP_S if not self._why else 1.0)
        if process.poll() is None:
            process.kill()
            await asyncio.to_thread(process.wait)


def _spawn(command: WorkerCommand, theirs: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.arguments(theirs.fileno()),
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=command.environment(),
        start_new_session=True,  # Ctrl-C at a terminal is for the desk
    )


def _in_words(code: int | None) -> str:
    if code is None:
        return "it hung up"
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"
