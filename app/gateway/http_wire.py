"""Our HTTP server protocol: uvicorn's on httptools, whose parser is compiled, with bounded heads.

A parser in Python (h11) costs about as much as everything the desk does for a small request. It
remains where httptools has no wheel, and bounds heads by itself.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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

    def on_body(self, body: bytes) -> None:
        """Hand on a part of a body, which whoever reads it bounds."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._moved = True
        super().on_message_complete()
