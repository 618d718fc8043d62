"""A server that answers a gRPC call with a packed message, though nobody said it may.

It speaks just enough of HTTP/2: settings, one answer of one short packed message that would be
64 MiB long, and the trailer.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PREFACE = 24
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
ACK, END_STREAM, END_HEADERS = 1, 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def header(name: str, value: str) -> bytes:
    """Return a header, written out and not remembered."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


@asynccontextmanager
async def bomb() -> AsyncIterator[int]:
    packed = gzip.compress(bytes(64 * 2**20))
    message = b"\x01" + len(packed).to_bytes(4, "big") + packed
    status_200 = b"\x88"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(PREFACE)
        writer.write(frame(SETTINGS, 0, 0))
        try:
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                if kind == SETTINGS and not flags & ACK:
                    writer.write(frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    writer.write(frame(PING, ACK, 0, payload))
                elif kind == DATA and flags & END_STREAM:
                    first = status_200 + header("content-type", "application/grpc")
                    first += header("grpc-encoding", "gzip")
                    writer.write(frame(HEADERS, END_HEADERS, stream, first))
                    for start in range(0, len(message), 16_000):
                        writer.write(frame(DATA, 0, stream, message[start : start + 16_000]))
                    last = header("grpc-status", "0")
                    writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, last))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
