"""One run's pen: what it appends, before the journal gives it a place."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from agents.events import AnyEvent
from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent
from app.domain.text import clean_text, storable_json

_encode_event = msgspec.json.Encoder().encode


class Writer(Protocol):
    """What a pen needs of the journal."""

    def append(self, entry: "Entry", size: int) -> None: ...

    def grow(self, size: int) -> None: ...

    def record(self, log: "RunLog", rows: dict[str, Iterable[Any]]) -> None: ...

    async def wait_for_room(self) -> None: ...

    async def durable(self) -> None: ...


class _Text:
    """Text of one message that nobody has sealed yet."""

    __slots__ = ("log", "message_id", "parts")

    def __init__(self, log: "RunLog", message_id: str, delta: str) -> None:
        self.log = log
        self.message_id = message_id
        self.parts = [delta]

    def size(self) -> int:
        return sum(map(len, self.parts))


class _Plain:
    """Any other event that nobody has sealed yet."""

    __slots__ = ("log", "payload", "type")

    def __init__(self, log: "RunLog", type_: str, payload: str) -> None:
        self.log = log
        self.type = type_
        self.payload = payload

    def size(self) -> int:
        return len(self.payload)


Entry = _Text | _Plain


class RunLog:
    """One run's pen. Not for use after the journal is left."""

    __slots__ = (
        "_journal",
        "_open_text",
        "conversation_id",
        "last_seq",
        "lost",
        "run_id",
        "when_lost",
    )

    def __init__(
        self, journal: Writer, conversation_id: ConversationId, run_id: RunId, last_seq: int
    ) -> None:
        self._journal = journal
        self._open_text: _Text | None = None
        self.conversation_id = conversation_id
        self.run_id = run_id
        self.last_seq = last_seq
        self.lost: Exception | None = None
        """Why this run's entries can never be stored (its conversation was deleted)."""
        self.when_lost: Callable[[], object] | None = None
        """Called once when that turns out, so that nobody goes on paying for lost words."""

    def emit(self, event: AnyEvent) -> None:
        """Append one event."""
        payload = _payload(event)
        self._open_text = None
        self._journal.append(_Plain(self, str(event.__struct_config__.tag), payload), len(payload))

    def text(self, message_id: str, delta: str) -> None:
        """Append streamed text; it joins the text before it if that is not sealed yet."""
        open_text = self._open_text
        if open_text is not None and open_text.message_id == message_id:
            open_text.parts.append(delta)
            self._journal.grow(len(delta))
        elif self.lost is None:
            self._open_text = entry = _Text(self, message_id, delta)
            self._journal.append(entry, len(delta))

    def seal(self, entry: Entry) -> StoredEvent:
        """Give `entry` its place. Only the writer calls this, in order."""
        self.last_seq = seq = self.last_seq + 1
        if isinstance(entry, _Text):
            if self._open_text is entry:
                self._open_text = None
            return StoredEvent(
                self.conversation_id,
                seq,
                self.run_id,
                "TEXT_MESSAGE_CONTENT",
                # Here and not in the store: what is shown is what is kept, to the character.
                clean_text("".join(entry.parts)),
                entry.message_id,
            )
        return StoredEvent(self.conversation_id, seq, self.run_id, entry.type, entry.payload)

    def lose(self, reason: Exception) -> None:
        """Give up on this run. Only the writer calls this."""
        self.lost = reason
        self._open_text = None
        if self.when_lost is not None:
            self.when_lost()

    async def wait_for_room(self) -> None:
        """Wait while too much is unwritten."""
        await self._journal.wait_for_room()

    async def durable(self) -> None:
        """Return once everything appended so far is committed and published.

        Raises:
            Unavailable: the journal was left before it could be.
            Exception: what made it impossible to store this run's entries.
        """
        await self._journal.durable()
        if self.lost is not None:
            raise self.lost

    def record(self, **rows: Iterable[Any]) -> None:
        """Add rows (fields of `Batch`) to the same commit as the events appended just now.

        Of a lost run only settlements are taken: what it had spent is spent.
        """
        self._journal.record(self, rows)


def _payload(event: AnyEvent) -> str:
    """Return the event as JSON that every store and every wire takes."""
    try:
        payload = _encode_event(event).decode()
    except UnicodeEncodeError:
        payload = ""
    # Half a surrogate pair, or NUL: rare, and never worth losing a run.
    if not payload or "\\u0000" in payload:
        payload = _encode_event(storable_json(msgspec.to_builtins(event))).decode()
    return payload
