"""Walk over protobuf messages without their definitions: which field, and its bytes."""

from collections.abc import Iterator

from inference.errors import BadModel

Bytes = memoryview
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(data: Bytes, name: str) -> Iterator[tuple[int, int, int | Bytes]]:
    """Yield field number, wire type and value: a number, or the bytes of what is inside.

    Raises:
        BadModel: it is no protobuf message.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at, name)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise BadModel(f"{name} is damaged: a field without a number")
        if wire == VARINT:
            value, at = _varint(data, at, name)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at, name)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise BadModel(f"{name} is damaged: wire type {wire}")
        if size > end - at:
            raise BadModel(f"{name} is damaged: a field goes past its end")
        yield number, wire, data[at : at + size]
        at += size


def messages(data: Bytes, field: int, name: str) -> Iterator[Bytes]:
    """Yield the bytes of every field of one number."""
    for number, wire, value in fields(data, name):
        if number == field and wire == BYTES and isinstance(value, memoryview):
            yield value


def text(data: Bytes, field: int, name: str) -> str:
    """Return the last text of one number, "" without one."""
    found = ""
    for value in messages(data, field, name):
        found = bytes(value[:400]).decode(errors="replace")
    return found


def _varint(data: Bytes, at: int, name: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BadModel(f"{name} is damaged: a number without an end")
