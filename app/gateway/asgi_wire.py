"""The outbox's wire over plain ASGI: a queue and one task that drains it.

Works under any ASGI server and in tests. Under our own server `direct_wire.py` writes without
queue and task.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

_ROOM = 65_536
"""A replay goes on when less than this is unsent."""
_CLOSING_S = 5.0
"""How long a stuck client may take to take the close frame."""


class AsgiWire:
    """Implements `Wire`; `drain` must run for anything to be sent."""

    __slots__ = ("_close", "_patience", "_queue", "_room", "_send", "_unsent", "_wake")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: list[bytes] = []
        self._unsent = 0
        self._wake: asyncio.Future[None] | None = None
        self._room: asyncio.Event | None = None
        self._close: tuple[int, str] | None = None
        self._patience: asyncio.Timeout | None = None

    def write(self, frame: bytes) -> None:
        if self._close is None:
            self._queue.append(frame)
            self._unsent += len(frame)
            self._wake_up()

    def unsent(self) -> int:
        return self._unsent

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        if self._close is not None:
            return
        self._close = (code, reason)
        if drop:
            self._queue.clear()
            self._unsent = 0
            if self._patience is not None:
                # The send in progress may be stuck behind a client that does not read.
                self._patience.reschedule(asyncio.get_running_loop().time())
        self._wake_up()

    async def wait_for_room(self) -> None:
        while self._unsent > _ROOM and self._close is None:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()

    async def drain(self) -> None:
        """Send what is offered, everything pending per wake-up, until the socket is closed.

        Raises:
            TimeoutError: the client does not even take the close frame.
        """
        try:
            with suppress(TimeoutError):
                # One timeout for the socket's life, none per frame: only `close` lets it fire.
                async with asyncio.timeout(None) as self._patience:
                    await self._send_all()
            self._patience = None
            code, reason = self._close or (1000, "")
            async with asyncio.timeout(_CLOSING_S):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except TimeoutError:
            raise
        except OSError:
            # The client is gone; the reading side hears of it.
            self._queue.clear()

    async def _send_all(self) -> None:
        send = self._send
        while True:
            if not self._queue:
                if self._close is not None:
                    return
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
                self._wake = None
            queue, self._queue = self._queue, []
            for frame in queue:
                await send({"type": "websocket.send", "text": frame.decode()})
                self._unsent -= len(frame)
            if self._room is not None and self._unsent <= _ROOM:
                self._room.set()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        if self._close is not None and self._room is not None:
            self._room.set()
