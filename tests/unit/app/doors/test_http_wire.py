"""Requests read by the compiled parser, with heads that have an end."""

import asyncio
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

pytest.importorskip("httptools", reason="no wheel of it here: h11 reads requests")

from app.doors.direct_infer import REPLY_EXTENSION
from app.doors.http_wire import MAX_HEAD_BYTES, HttpWire

_PIECE = 8 * 1024


class Line:
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _app(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _short(scope: Any, receive: Any, send: Any) -> None:
    body = scope["path"].encode()
    if not scope["extensions"][REPLY_EXTENSION](b"content-length: %d\r\n" % len(body), body):
        await _app(scope, receive, send)


def connected(app: Any = _app) -> tuple[HttpWire, Line]:
    config = uvicorn.Config(app, http=HttpWire, lifespan="off", log_config=None)
    config.load()
    wire, line = HttpWire(config, ServerState(), {}), Line()
    wire.connection_made(cast(asyncio.Transport, line))
    return wire, line


async def answered(wire: HttpWire) -> None:
    await asyncio.gather(*wire.tasks)


async def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    wire, line = connected()
    for byte in b"POST / HTTP/1.1\r\nHost: desk\r\nContent-Length: 3\r\n\r\nabc":
        wire.data_received(bytes([byte]))
    await answered(wire)
    assert line.written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert line.written.endswith(b"\r\n\r\n3")
    assert not line.closed


@pytest.mark.parametrize("piece", [b"x" * _PIECE, b"a: b\r\n" * (_PIECE // 6)])
async def test_headers_without_end_are_refused(piece: bytes) -> None:
    wire, line = connected()
    wire.data_received(b"GET / HTTP/1.1\r\nlong: ")
    sent = 0
    while not line.closed:
        wire.data_received(piece)
        sent += len(piece)
        assert sent <= MAX_HEAD_BYTES + _PIECE
    assert line.written.startswith(b"HTTP/1.1 400 ")


async def test_a_body_may_be_longer_than_headers() -> None:
    wire, line = connected()
    size = 4 * MAX_HEAD_BYTES
    wire.data_received(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // _PIECE):
        wire.data_received(b"x" * _PIECE)
    await answered(wire)
    assert line.written.endswith(str(size).encode())


async def test_what_follows_a_body_in_chunks_has_an_end_too() -> None:
    wire, line = connected()
    wire.data_received(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nlong: "
    )
    sent = 0
    while not line.closed:
        wire.data_received(b"x" * _PIECE)
        sent += _PIECE
        assert sent <= MAX_HEAD_BYTES + _PIECE
    wire.connection_lost(None)
    await answered(wire)


async def test_requests_one_after_the_other_do_not_add_up() -> None:
    wire, line = connected()
    head = b"GET / HTTP/1.1\r\nlong: " + b"x" * (MAX_HEAD_BYTES // 2) + b"\r\n\r\n"
    for _ in range(4):
        wire.data_received(head)
        await answered(wire)
    assert line.written.count(b"HTTP/1.1 200 OK") == 4
    assert not line.closed


async def test_an_answer_in_one_piece_keeps_the_connection_and_the_order() -> None:
    wire, line = connected(_short)
    wire.data_received(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
    for _ in range(3):
        await answered(wire)
    assert line.written == b"".join(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + path for path in (b"/a", b"/b")
    )
    assert not line.closed


@pytest.mark.parametrize("head", [b"GET /a HTTP/1.1\r\nConnection: close", b"GET /a HTTP/1.0"])
async def test_an_answer_in_one_piece_ends_a_connection_that_is_not_kept(head: bytes) -> None:
    wire, line = connected(_short)
    wire.data_received(head + b"\r\n\r\n")
    await answered(wire)
    assert line.written.endswith(b"connection: close\r\n\r\n/a")
    assert line.closed


async def test_nothing_is_written_to_a_client_that_has_gone() -> None:
    wire, line = connected(_short)
    wire.data_received(b"GET /a HTTP/1.1\r\n\r\n")
    tasks = set(wire.tasks)
    wire.connection_lost(ConnectionResetError())
    await asyncio.gather(*tasks)
    assert line.written == b""


async def test_an_answer_takes_the_usual_way_while_the_network_is_behind() -> None:
    wire, line = connected(_short)
    wire.pause_writing()
    wire.data_received(b"GET /a HTTP/1.1\r\n\r\n")
    for _ in range(5):
        await asyncio.sleep(0)
    assert line.written == b""
    wire.resume_writing()
    await answered(wire)
    assert line.written.endswith(b"\r\n\r\n0")
