"""A stream as a table: which messages, in which windows, and what becomes a row. Pure.

A version's rows come from windows: of each partition the offsets from one up to another. The
windows are a part of what the version is, so that the next one goes on where it ends, and so that
the same rows can be had again from the broker.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from app.domain.datasets import DataSource
from app.domain.errors import Conflict, Invalid
from app.services.feeds.kafka_config import SASL_MECHANISMS, SECURITY_PROTOCOLS

MOST_ROWS = 20_000_000
_ABOUT_A_MESSAGE = ("timestamp", "offset", "partition", "key")
_URI = "`source.uri` of a stream is kafka://host:9092/topic, or kafka:///topic for the desk's own."


class Field(msgspec.Struct, frozen=True):
    """A column, and where in a message it is found."""

    name: str
    path: tuple[str, ...]
    """Keys, from the outside in; `@timestamp` and the like stand for what surrounds a message."""
    required: bool


class StreamPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are wanted."""

    servers: tuple[tuple[str, int], ...]
    """Nothing: the desk's own cluster."""
    topic: str
    protocol: str
    mechanism: str | None
    start: str | int | datetime
    """Of partitions that were never read: "earliest", an offset, or a moment."""
    until: datetime | None
    rows: int
    """At most so many messages in one collection."""
    fields: tuple[Field, ...]


class Message(msgspec.Struct, frozen=True):
    """What the broker gave."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Window(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One collection: what of each partition was read, and what of that is no row."""

    partitions: dict[str, tuple[int, int]]
    """Number -> the first offset, and the one after the last."""
    rows: int = 0
    refused: dict[str, int] = {}
    """Why -> how many messages."""
    lost: dict[str, tuple[int, int]] = {}
    """Number -> offsets that the broker did not keep until they were to be read."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version's rows came from; a part of its manifest."""

    topic: str
    windows: tuple[Window, ...]
    kind: str = "stream"

    def ends(self) -> dict[str, int]:
        """Return where each partition is to be read on."""
        found: dict[str, int] = {}
        for window in self.windows:
            found |= {number: end for number, (_, end) in window.partitions.items()}
        return found


def read_stream(source: DataSource) -> StreamPlace:
    """Return what a source of the kind `stream` names.

    Raises:
        Invalid: something in it is not allowed; says what is.
    """
    try:
        parts = urlsplit(source.uri)
        servers = tuple(_server(one) for one in parts.netloc.split(",") if one)
    except ValueError:
        raise Invalid(_URI) from None
    topic = parts.path.removeprefix("/")
    if parts.scheme != "kafka" or parts.fragment or not topic or "/" in topic:
        raise Invalid(_URI)
    reach = dict(parse_qsl(parts.query, keep_blank_values=True))
    protocol = reach.pop("protocol", "PLAINTEXT").upper()
    mechanism = reach.pop("mechanism", None)
    if reach or protocol not in SECURITY_PROTOCOLS or (mechanism or "PLAIN") not in SASL_MECHANISMS:
        raise Invalid(
            f"After the `?` of `source.uri` may stand protocol={'|'.join(SECURITY_PROTOCOLS)} and "
            f"mechanism={'|'.join(SASL_MECHANISMS)}."
        )
    asked = dict(parse_qsl(source.query or "", keep_blank_values=True))
    place = StreamPlace(
        servers=servers,
        topic=topic,
        protocol=protocol,
        mechanism=mechanism,
        start=_start(asked.pop("from", "earliest")),
        until=None if "until" not in asked else _moment(asked.pop("until"), "until"),
        rows=_rows(asked.pop("rows", str(MOST_ROWS))),
        fields=_fields(asked.pop("fields", "")),
    )
    if asked or (source.query and not parse_qsl(source.query, keep_blank_values=True)):
        raise Invalid(
            "`source.query` of a stream may say from, until, rows and fields, as in "
            "from=2026-03-01T00:00Z&rows=100000&fields=time:ts,price:trade.p"
        )
    return place


def row_of(message: Message, fields: tuple[Field, ...]) -> dict[str, Any] | str:
    """Return a message as a row, or why it is none.

    What is nested becomes JSON in a text; without `fields` every key of the object is a column.
    """
    if not message.value:
        return "is empty"
    try:
        found = msgspec.json.decode(message.value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "is no JSON"
    if not isinstance(found, dict):
        return "is no JSON object"
    if not fields:
        return {name: _cell(value) for name, value in found.items()} or "has no fields"
    row = {}
    for field in fields:
        value = _value(message, found, field.path)
        if value is None and field.required:
            return f"has no {'.'.join(field.path)}"
        row[field.name] = _cell(value)
    return row


def next_window(
    place: StreamPlace,
    before: Origin | None,
    *,
    firsts: Mapping[int, int],
    ends: Mapping[int, int],
    starts: Mapping[int, int],
    until: Mapping[int, int] | None = None,
) -> Window:
    """Return what is to be read now: from where the last version ended up to `ends`.

    `firsts` and `ends` are what the broker keeps now; `starts` where a partition begins that was
    never read; `until` where what is wanted ends before.

    Raises:
        Conflict: a partition ends before what was read of it: the topic was made anew.
    """
    known = {} if before is None else before.ends()
    spans: dict[int, tuple[int, int]] = {}
    lost: dict[str, tuple[int, int]] = {}
    for number, end in sorted(ends.items()):
        start = known.get(str(number), starts[number])
        if str(number) in known and end < start:
            raise Conflict(
                f"Partition {number} of {place.topic!r} was read up to offset {start:,} and ends "
                f"at {end:,} now: the topic was made anew. Enter it as another dataset.",
                code="stream_made_anew",
            )
        if start < firsts[number]:
            if str(number) in known:
                lost[str(number)] = (start, firsts[number])
            start = firsts[number]
        stop = end if until is None else min(end, until[number])
        if start < stop:
            spans[number] = (start, stop)
    kept = shared_out(spans, place.rows)
    return Window(partitions={str(number): span for number, span in kept.items()}, lost=lost)


def shared_out(spans: Mapping[int, tuple[int, int]], most: int) -> dict[int, tuple[int, int]]:
    """Return spans that have `most` offsets together, none cut while a longer one is not."""
    kept: dict[int, tuple[int, int]] = {}
    left = most
    by_length = sorted(spans, key=lambda number: (spans[number][1] - spans[number][0], number))
    for index, number in enumerate(by_length):
        start, end = spans[number]
        length = min(end - start, left // (len(by_length) - index))
        left -= length
        if length:
            kept[number] = (start, start + length)
    return dict(sorted(kept.items()))


def read_origin(manifest: Mapping[str, Any]) -> Origin | None:
    """Return where the rows of a version of a stream came from; None if it is none of a stream."""
    found = manifest.get("origin")
    if not isinstance(found, dict) or found.get("kind") != "stream":
        return None
    return msgspec.convert(found, Origin)


def _server(text: str) -> tuple[str, int]:
    if "@" in text:
        raise Invalid("Put user and password into `source.credentials`: `uri` is shown.")
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(text)
    return parts.hostname, parts.port or 9092


def _start(text: str) -> str | int | datetime:
    if text == "earliest":
        return text
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    return _moment(text, "from")


def _moment(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        also = "earliest, an offset or " if name == "from" else ""
        raise Invalid(
            f"`{name}` in `source.query` is {also}a moment such as 2026-03-01T00:00Z, not "
            f"{text[:40]!r}."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _rows(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:12]) <= MOST_ROWS):
        raise Invalid(f"`rows` in `source.query` is a number from 1 to {MOST_ROWS:,}.")
    return int(text)


def _fields(text: str) -> tuple[Field, ...]:
    fields = []
    for one in text.split(",") if text else ():
        name, sign, path = (part.strip() for part in one.partition(":"))
        required = not path.endswith("?")
        path = path.removesuffix("?")
        keys = tuple(path.split("."))
        if not sign or not name or not all(keys):
            raise Invalid(
                "`fields` in `source.query` is name:path,name:path; a path is key.key, and ends "
                f"in ? where it may be missing; {one[:40]!r} is none."
            )
        if path.startswith("@") and path[1:] not in _ABOUT_A_MESSAGE:
            about = ", ".join(f"@{name}" for name in _ABOUT_A_MESSAGE)
            raise Invalid(f"Of a message itself there are {about}; not {path[:40]!r}.")
        fields.append(Field(name, keys, required))
    names = [field.name for field in fields]
    if len(set(names)) != len(names):
        raise Invalid("`fields` in `source.query` names a column twice.")
    return tuple(fields)


def _value(message: Message, found: Any, path: tuple[str, ...]) -> Any:
    match path:
        case ("@timestamp",):
            at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
            return at.isoformat(timespec="milliseconds")
        case ("@offset",):
            return message.offset
        case ("@partition",):
            return message.partition
        case ("@key",):
            return None if message.key is None else message.key.decode(errors="replace")
    for key in path:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
