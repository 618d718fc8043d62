"""Declare the messages of a gRPC protocol by their field numbers, and read and write them.

Only what the desk says and reads is declared: a field that is not is skipped when it is read. The
numbers are those of the protocols; the tests hold them against the servers' own definitions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inference.errors import ModelFailed
from inference.runtimes.options import import_framework

Messages = Mapping[str, Any]
"""Name of a message -> its class."""
_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9,
    "bytes": 12, "uint32": 13,
}  # fmt: skip
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3


def declare(package: str, messages: Mapping[str, Sequence[str]]) -> Messages:
    """Return a class for every message.

    A field is written "NUMBER NAME TYPE". TYPE is a scalar or another message of these, with *
    after it where there may be many, in {braces} where texts lead to many. An enumeration is an
    int32.

    Raises:
        MissingFramework: protobuf is not installed.
    """
    described: Any = _protobuf("descriptor_pb2")
    file = described.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in fields:
            number, called, kind = field.split()
            if kind.startswith("{"):
                entry = message.nested_type.add(name=f"{_camel(called)}Entry")
                entry.options.map_entry = True
                _add(entry, package, 1, "key", "string")
                _add(entry, package, 2, "value", kind.strip("{}"))
                kind = f"{name}.{entry.name}*"
            _add(message, package, int(number), called, kind)
    # A pool of its own: somebody else's package may know the same protocol by the same names.
    pool: Any = _protobuf("descriptor_pool").DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    made: Any = _protobuf("message_factory")
    return {
        name: made.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in messages
    }


def read(kind: Any, data: bytes) -> Any:
    """Return the message of this class that the bytes are.

    Raises:
        ModelFailed: they are another.
    """
    unreadable: Any = _protobuf("message").DecodeError
    try:
        return kind.FromString(data)
    except unreadable:
        raise ModelFailed("the server answered with a message that cannot be read") from None


def _add(message: Any, package: str, number: int, name: str, kind: str) -> None:
    label = _REPEATED if kind.endswith("*") else _OPTIONAL
    kind = kind.removesuffix("*")
    field = message.field.add(name=name, number=number, label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _MESSAGE, f".{package}.{kind}"


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _protobuf(module: str) -> Any:
    return import_framework(f"google.protobuf.{module}", framework="gRPC", extra="grpc")
