"""Our HTTP server protocol: uvicorn's on httptools, whose parser is compiled, with bounded heads.

A parser in Python (h11) costs about as much as everything the desk does for a small request. It
remains where httptools has no wheel, and bounds heads by itself.
"""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.doors.direct_infer import REPLY_EXTENSION

MAX_HEAD_BYTES = 64 * 1024
"""Of a request line with its headers, and of what may follow a body sent in chunks."""


class HttpWire(HttpToolsProtocol):
    """One connection; gives up on a client that sends headers without end."""

    _loose_bytes = 0
    """What has come since the last byte of a body or the end of a request."""
    _moved = False

    def data_received(self, data: bytes) -> None:
        """Take bytes, and count those that are neither a body nor the end of a request."""
        self._moved = False
        super().data_received(data)
        if self._moved:
            self._loose_bytes = 0
            return
        self._loose_bytes += len(data)
        if self._loose_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.send_400_response("The headers are too long.")
            else:
                self.transport.close()

    def on_headers_complete(self) -> None:
        """Offer the short way back with each request."""
        super().on_headers_complete()
        # An upgrade has no cycle of its own, and asks nobody.
        self.scope["extensions"] = {REPLY_EXTENSION: Reply(self, self.cycle)}  # type: ignore[dict-item]

    def on_body(self, body: bytes) -> None:
        """Hand on a part of a body, which whoever reads it bounds."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._moved = True
        super().on_message_complete()


class Reply:
    """Writes the answer to one request in one piece.

    Plain ASGI takes two messages for it, each a coroutine, and looks at every header anew.
    """

    __slots__ = ("_cycle", "_wire")

    def __init__(self, wire: HttpWire, cycle: RequestResponseCycle) -> None:
        self._wire = wire
        self._cycle = cycle

    def __call__(self, headers: bytes, body: bytes) -> bool:
        """Answer 200; False, and nothing is done, while the network is behind.

        `headers` are whole lines, Content-Length among them, and are not looked at.
        """
        wire, cycle = self._wire, self._cycle
        if wire.flow.write_paused or cycle.response_started:
            return False
        if cycle.disconnected:
            return True
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        pieces = [b"HTTP/1.1 200 OK\r\n", *_lines(cycle.default_headers), headers]
        if not cycle.keep_alive:
            pieces.append(b"connection: close\r\n")
        wire.transport.write(b"".join([*pieces, b"\r\n", body]))
        if not cycle.keep_alive:
            wire.transport.close()
        cycle.on_response()
        return True


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return [b"%b: %b\r\n" % header for header in headers]
