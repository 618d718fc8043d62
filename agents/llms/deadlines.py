"""One timer per stream: first byte, silence, and the whole of it.

A deadline per read would cost a timer per token. This one looks again only when it would have
fired, so a byte that arrives costs one clock reading.
"""

import asyncio
from types import TracebackType
from typing import Literal

import msgspec


class StreamTimeouts(msgspec.Struct, frozen=True):
    """How long a provider may take."""

    first_byte_s: float = 30.0
    """From sending the request to the first byte of the answer's body."""
    idle_s: float = 20.0
    """Silence after that."""
    total_s: float = 300.0


class Watchdog:
    """An async context manager that raises TimeoutError when its stream is too slow."""

    __slots__ = ("_fed_at", "_handle", "_loop", "_scope", "_started_at", "_timeouts", "expired")

    def __init__(self, timeouts: StreamTimeouts) -> None:
        self._timeouts = timeouts
        self._scope = asyncio.timeout(None)
        self._fed_at: float | None = None
        self.expired: Literal["first_byte", "idle", "total"] | None = None
        """Which deadline passed, once one has."""

    async def __aenter__(self) -> "Watchdog":
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        await self._scope.__aenter__()
        self._handle = self._loop.call_at(self._due()[0], self._look)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        await self._scope.__aexit__(kind, error, traceback)

    def fed(self) -> None:
        """Note that bytes arrived."""
        first = self._fed_at is None
        self._fed_at = self._loop.time()
        if first:
            # From here on the deadline only moves away; only now it may have come nearer.
            self._handle.cancel()
            self._handle = self._loop.call_at(self._due()[0], self._look)

    def _due(self) -> tuple[float, Literal["first_byte", "idle", "total"]]:
        total = self._started_at + self._timeouts.total_s
        if self._fed_at is None:
            silence, name = self._started_at + self._timeouts.first_byte_s, "first_byte"
        else:
            silence, name = self._fed_at + self._timeouts.idle_s, "idle"
        return (total, "total") if total <= silence else (silence, name)  # type: ignore[return-value]

    def _look(self) -> None:
        due, which = self._due()
        now = self._loop.time()
        if now >= due:
            self.expired = which
            self._scope.reschedule(now)
        else:
            self._handle = self._loop.call_at(due, self._look)
