"""Ask one HTTP address again and again on open connections, and count. Knows no framework.

Raw sockets with a fixed request each: the client costs some ten microseconds a request, so that it
is not what is measured.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast


class LoadFailed(Exception):
    """A server answered something else than 200, or hung up."""


@dataclass(frozen=True)
class Asked:
    """What came of one round."""

    requests: int
    seconds: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def post(path: str, body: bytes, *, key: str | None = None) -> bytes:
    """Return a whole POST request with a JSON body."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Client(asyncio.Protocol):
    """One connection that sends its request whenever an answer is complete."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._received = b""
        self._sent_at = 0
        self.latencies_ns: list[int] = []
        self.last = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(LoadFailed(f"it hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(LoadFailed(self._received[:300].decode(errors="replace")))
            return
        at = head.lower().find(b"content-length:")
        if at < 0 and not body.endswith(b"0\r\n\r\n"):
            return  # in chunks, of which the last is empty
        if at >= 0 and len(body) < int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return
        now = time.monotonic_ns()
        self.latencies_ns.append(now - self._sent_at)
        self.last, self._received = body, b""
        if now / 1e9 >= self._until:
            self._end(None)
        else:
            self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic_ns()
        self._transport.write(self._request)

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
        self._transport.close()


async def ask(port: int, requests: Sequence[bytes], *, seconds: float) -> tuple[Asked, list[bytes]]:
    """Send each request over a connection of its own for so long; return also the last bodies.

    Raises:
        LoadFailed: an answer was not 200.
        TimeoutError: a server stopped answering.
    """
    loop = asyncio.get_running_loop()
    begun = time.monotonic()
    clients = [_Client(request, begun + seconds) for request in requests]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(client.done for client in clients))
    took = time.monotonic() - begun
    latencies = [ns / 1e6 for client in clients for ns in client.latencies_ns]
    return Asked(len(latencies), took, latencies), [client.last for client in clients]
