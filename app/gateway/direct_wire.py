"""Our websocket server protocol: uvicorn's, plus a short way for frames that wait for nobody.

Plain ASGI costs a queue, a task and a coroutine per socket and per frame. Here a frame is two
pieces of bytes handed to the transport, which keeps what the network cannot take yet. It also
closes a client that does not read at once, which ASGI cannot: there the close frame waits behind
the very bytes that are stuck.

Start uvicorn with `ws=DirectWire, ws_per_message_deflate=False`. Under any other server the
gateway uses `asgi_wire.py` by itself.
"""

import struct
from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from app.gateway.socket import WIRE_EXTENSION
from app.protocol.close_codes import CloseCode

_SHORT_HEADERS = tuple(bytes((0x81, length)) for length in range(126))
_pack_medium = struct.Struct("!BBH").pack
_pack_long = struct.Struct("!BBQ").pack

_PINGS_PER_S = 10.0
_PINGS_BURST = 50.0
_CLOSING_S = 5.0


def text_frame(payload: bytes) -> bytes:
    """Return one unfragmented, unmasked text frame (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        return _SHORT_HEADERS[length] + payload
    if length < 65_536:
        return _pack_medium(0x81, 126, length) + payload
    return _pack_long(0x81, 127, length) + payload


class DirectWire(WebSocketsSansIOProtocol):
    """One websocket; implements `app.gateway.ports.Wire`."""

    _ping_room = _PINGS_BURST
    _pinged_at = 0.0

    # --- Wire ---------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Send one text frame."""
        if not (self.close_sent or self.disconnected):
            self.transport.write(text_frame(frame))

    def unsent(self) -> int:
        """Return how many bytes wait for the network."""
        # While the transport takes everything, which is nearly always, it need not be asked.
        return 0 if self.writable.is_set() else self.transport.get_write_buffer_size()

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close after what is unsent; a client that does not read it is cut off soon.

        What the transport holds cannot be taken back, so `drop` changes nothing here.
        """
        if self.close_sent or self.disconnected:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return  # the peer's close came first
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        if self.read_paused:
            # The peer's answer to our close frame must be read.
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSING_S, self.transport.abort)

    async def wait_for_room(self) -> None:
        """Return when the transport takes bytes again, or is gone."""
        if not self.close_sent:
            await self.writable.wait()

    # --- uvicorn ------------------------------------------------------------------------------

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # No scope: the handshake was refused. An extension of the protocol would have to see
        # every frame, so with one the frames take the usual way.
        if not self.close_sent and not self.conn.extensions:
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[WIRE_EXTENSION] = self

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the application; end the socket if its text is no UTF-8."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.close(CloseCode.INVALID_TEXT, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, and close a client that floods us with them."""
        now = self.loop.time()
        refilled = self._ping_room + (now - self._pinged_at) * _PINGS_PER_S
        self._pinged_at = now
        self._ping_room = min(refilled, _PINGS_BURST) - 1
        if self._ping_room >= 0:
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the answer that was ready
            self.close(CloseCode.TOO_FAST, "too many pings")

    def shutdown(self) -> None:
        """Tell the client to come back, as the server stops."""
        if self.handshake_complete and not self.close_sent:
            self.close(CloseCode.RESTARTING, "restarting")
        else:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Cut off a client that answered no ping; what is unsent will never be read."""
        super().keepalive_timeout()
        if self.close_sent:
            self.loop.call_later(_CLOSING_S, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # uvicorn takes a finished refusal for an application that forgot its handshake.
            self.handshake_complete = True
