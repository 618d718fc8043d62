"""Split a server-sent event stream into the data of its events.

Pure, and indifferent to how the network cut the bytes. Only `data` matters to an LLM stream: the
other fields and comments are read past.
"""


class EventTooLong(ValueError):
    """One event grew beyond what any provider sends."""


class SseSplitter:
    """Takes bytes in any pieces, gives the data of each event that is complete."""

    __slots__ = ("_data", "_max_bytes", "_tail")

    def __init__(self, *, max_event_bytes: int = 1 << 20) -> None:
        self._tail = b""
        self._data: bytes | None = None
        self._max_bytes = max_event_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of every event that `data` completes.

        Raises:
            EventTooLong: more than `max_event_bytes` without an end.
        """
        if (
            data.startswith(b"data: ")
            and data.find(b"\n") == len(data) - 2
            and data.endswith(b"\n\n")
            and not self._tail
            and self._data is None
            and b"\r" not in data
        ):
            # Exactly one event, as a token mostly comes.
            return [data[6:-2]]
        if self._tail:
            data = self._tail + data
        held = b""
        if b"\r" in data:
            # A CR at the very end may be half of a CRLF: it waits for what follows.
            if data.endswith(b"\r"):
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        self._tail = lines.pop() + held
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                value = line[6:] if line[5:6] == b" " else line[5:]
                self._data = value if self._data is None else self._data + b"\n" + value
            elif not line and self._data is not None:
                events.append(self._data)
                self._data = None
        if len(self._tail) + len(self._data or b"") > self._max_bytes:
            raise EventTooLong(f"an event of more than {self._max_bytes:,} bytes")
        return events

    def finish(self) -> list[bytes]:
        """Return the last event if the stream ended right after it, without the empty line."""
        return self.feed(b"\n\n") if self._tail or self._data is not None else []
