"""What one socket is sent, in order and within bounds.

A client that does not read is closed with 4408 once a mebibyte waits for it; it resumes from the
journal. The run, the hub and other sockets never wait for it.
"""

from app.gateway.ports import Wire
from app.gateway.translate import Frames, opened_message
from app.protocol.close_codes import CloseCode

MAX_UNSENT_BYTES = 1_048_576
EPHEMERAL_ROOM_BYTES = 65_536
"""With more than this unsent, what nobody must see waits; `Wire.wait_for_room` means the same."""


class Outbox:
    """The sending half of one socket."""

    __slots__ = (
        "_limit",
        "_open_message",
        "_open_source",
        "_streaming",
        "_wire",
        "closed",
        "compact",
        "is_streaming",
    )

    def __init__(
        self,
        wire: Wire,
        streaming: set["Outbox"] | None = None,
        *,
        limit: int = MAX_UNSENT_BYTES,
    ) -> None:
        """Make an outbox that puts itself into `streaming` when it sends an event."""
        self._wire = wire
        self._streaming = streaming if streaming is not None else set()
        self._limit = limit
        self._open_source: object = None
        self._open_message: str | None = None
        self.compact = False
        self.closed = False
        self.is_streaming = False
        """Events went out since `rest`: somebody should look whether they still may."""

    def offer(self, frame: bytes) -> None:
        """Send a frame that is not an event."""
        if self.closed:
            return
        unsent = self._wire.unsent()
        # A single frame over the limit is still sent when nothing is in its way.
        if unsent and unsent + len(frame) > self._limit:
            self.close(CloseCode.TOO_SLOW, "slow", drop=True)
            return
        self._wire.write(frame)

    def offer_event(self, frames: Frames, source: object) -> None:
        """Send one event, as `[seq, delta]` where the client can know what it continues.

        `source` stands for the conversation: the same object for each of its events.
        """
        message_id = frames.event.message_id
        self._stream()
        if not self.compact:
            self.offer(frames.plain())
        elif message_id is None:
            self._open_source = source
            self._open_message = opened_message(frames.event)
            self.offer(frames.plain())
        elif self._open_message == message_id and self._open_source is source:
            self.offer(frames.compact())
        else:
            self._open_source = source
            self._open_message = message_id
            self.offer(frames.plain())

    def offer_ephemeral(self, frame: bytes) -> bool:
        """Send a frame that nobody must see, if it would hold up nothing; False if it would."""
        if self.closed or self._wire.unsent() > EPHEMERAL_ROOM_BYTES:
            return False
        self._stream()
        self._wire.write(frame)
        return True

    def _stream(self) -> None:
        if not self.is_streaming:
            self.is_streaming = True
            self._streaming.add(self)

    def close(self, code: CloseCode, reason: str, *, drop: bool = False) -> None:
        """Close the socket after what was offered (or instead of it); later frames are ignored."""
        if not self.closed:
            self.closed = True
            self._wire.close(code, reason, drop=drop)

    def rest(self) -> None:
        """Leave `streaming` until the next event."""
        self.is_streaming = False
        self._streaming.discard(self)

    @property
    def crowded(self) -> bool:
        """Tell whether a replay should wait for room."""
        return self._wire.unsent() > self._limit // 4

    async def wait_for_room(self) -> None:
        """Wait until a replay may go on without filling the outbox."""
        await self._wire.wait_for_room()
