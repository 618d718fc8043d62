"""A vLLM server as a child process: started, asked how it is, and ended with all it started."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import aiohttp
import msgspec

from inference.errors import InferenceError
from inference.llm_server.command import Command

_LOOK_S = 1.0
_ANSWER = aiohttp.ClientTimeout(total=5.0)
_GRACE_S = 15.0
_TAIL = 25
_READ_BYTES = 16_384
_DIE_WITH_PARENT = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""


class ServerEnded(InferenceError):
    """vLLM went away by itself, or did not come up in time."""

    code = "server_ended"


class Load(msgspec.Struct, frozen=True):
    """How busy a server says it is."""

    running: float
    """Requests that are being answered."""
    waiting: float
    generated: float
    """Tokens since its start."""
    cache: float
    """Share of the KV cache that is in use."""


def read_metrics(text: str) -> Load:
    """Return what `/metrics` says, summed over engines."""
    found: dict[str, float] = {}
    for name, value in re.findall(r"^vllm:(\w+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return Load(
        running=found.get("num_requests_running", 0.0),
        waiting=found.get("num_requests_waiting", 0.0),
        generated=found.get("generation_tokens_total", 0.0),
        cache=found.get("kv_cache_usage_perc", 0.0),
    )


class LLMProcess:
    """One server, as an async context manager."""

    def __init__(self, command: Command, *, address: str, log: Path) -> None:
        """Args:
        address: where it answers, "http://127.0.0.1:8001".
        log: the file that its output goes to.
        """
        self._command = command
        self.address = address
        self.log = log

    async def __aenter__(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._command.argv,
                env={**os.environ, **self._command.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                preexec_fn=_end_with_us if sys.platform == "linux" else None,
            )
        self._web = aiohttp.ClientSession(timeout=_ANSWER)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._web.close()
        # Its engines are processes of its group.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_S):
                    await self._process.wait()

    async def ready(self, *, patience_s: float, seen: Callable[[str], None]) -> None:
        """Return when it can answer; `seen` gets what it last said.

        Raises:
            ServerEnded: it went away, or took longer than `patience_s`.
        """
        try:
            async with asyncio.timeout(patience_s):
                while not await self._is_healthy():
                    self.check()
                    seen(self._last_line())
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise ServerEnded(
                f"vLLM was not ready after {patience_s:.0f} s (--patience). Its log is {self.log}."
            ) from None

    async def load(self, *, after_s: float) -> Load | None:
        """Return how busy it is after a while, None if it does not say.

        Raises:
            ServerEnded: it went away.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await self._process.wait()
        self.check()
        try:
            async with self._web.get(f"{self.address}/metrics") as answer:
                return read_metrics(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return None

    def check(self) -> None:
        """Raise `ServerEnded` with the end of its log if it went away."""
        if self._process.returncode is not None:
            end = "\n".join(self._lines()[-_TAIL:])
            raise ServerEnded(
                f"vLLM ended by itself (exit code {self._process.returncode}). The end of its log, "
                f"{self.log}:\n{end}"
            )

    async def _is_healthy(self) -> bool:
        try:
            async with self._web.get(f"{self.address}/health") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _last_line(self) -> str:
        said = [line.strip() for line in self._lines() if line.strip()]
        return said[-1][:120] if said else ""

    def _lines(self) -> list[str]:
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _READ_BYTES))
            return file.read().decode(errors="replace").splitlines()


def _end_with_us() -> None:
    """Let the kernel end the server when this process dies without a word: it holds a GPU."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
