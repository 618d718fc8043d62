"""Stored events into the bytes of frames: one function for live events and replayed ones.

The hot path. A text delta is spliced from constant pieces around one encoded string; nothing is
parsed and no dict is built. Events of other kinds are rare: they are spliced too, unless they
bring metadata of their own, which is then merged.
"""

from functools import lru_cache

import msgspec

from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent

_encode = msgspec.json.Encoder().encode
_Object = dict[str, msgspec.Raw]
_object_decoder = msgspec.json.Decoder(_Object)


class _TextStart(msgspec.Struct, rename="camel"):
    message_id: str


_start_decoder = msgspec.json.Decoder(_TextStart)


class Frames:
    """The frames one event may become, each made at most once however many sockets want it."""

    __slots__ = ("_compact", "_plain", "event")

    def __init__(self, event: StoredEvent) -> None:
        self.event = event
        self._plain: bytes | None = None
        self._compact: bytes | None = None

    def plain(self) -> bytes:
        """Return the whole `event` frame."""
        frame = self._plain
        if frame is None:
            frame = self._plain = event_frame(self.event)
        return frame

    def compact(self) -> bytes:
        """Return a text delta as `[seq, delta]`."""
        frame = self._compact
        if frame is None:
            event = self.event
            frame = self._compact = b"[%d,%b]" % (event.seq, _encode(event.payload))
        return frame


def opened_message(event: StoredEvent) -> str | None:
    """Return the message that deltas after this event may continue, if any."""
    if event.message_id is not None:
        return event.message_id
    if event.type == "TEXT_MESSAGE_START":
        return _start_decoder.decode(event.payload).message_id
    return None


def event_frame(event: StoredEvent) -> bytes:
    """Return the `event` frame of one stored event."""
    seq = event.seq
    if event.message_id is not None:
        head, middle = _delta_pieces(event.conversation_id, event.run_id, event.message_id)
        return b'%b%d%b%b,"metadata":{"outcry":{"seq":%d}}}}' % (
            head,
            seq,
            middle,
            _encode(event.payload),
            seq,
        )
    head = _head(event.conversation_id, event.run_id)
    return b'%b%d,"event":%b}' % (head, seq, with_seq(event.payload, seq))


def with_seq(payload: str, seq: int) -> bytes:
    """Return an AG-UI event's JSON with `metadata.outcry.seq` set and all else kept."""
    data = payload.encode()
    if b'"metadata"' not in data and data.endswith(b"}") and len(data) > 2:
        return b'%b,"metadata":{"outcry":{"seq":%d}}}' % (data[:-1], seq)
    event = _object_decoder.decode(data)
    metadata = _object_or_empty(event.get("metadata"))
    outcry = _object_or_empty(metadata.get("outcry"))
    outcry["seq"] = msgspec.Raw(b"%d" % seq)
    metadata["outcry"] = msgspec.Raw(_encode(outcry))
    event["metadata"] = msgspec.Raw(_encode(metadata))
    return _encode(event)


def _object_or_empty(raw: msgspec.Raw | None) -> _Object:
    if raw is None or not bytes(raw).lstrip().startswith(b"{"):
        return {}
    return _object_decoder.decode(raw)


@lru_cache(maxsize=4096)
def _head(conversation_id: ConversationId, run_id: RunId) -> bytes:
    text = f'{{"type":"event","threadId":"{conversation_id}","runId":"{run_id}","seq":'
    return text.encode()


@lru_cache(maxsize=4096)
def _delta_pieces(
    conversation_id: ConversationId, run_id: RunId, message_id: str
) -> tuple[bytes, bytes]:
    middle = b',"event":{"type":"TEXT_MESSAGE_CONTENT","messageId":%b,"delta":'
    return _head(conversation_id, run_id), middle % _encode(message_id)
