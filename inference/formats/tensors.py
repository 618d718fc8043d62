"""Is this a safetensors file, and nothing but one? Every byte must belong to the header or to one
named tensor of finite numbers.

The file is read in pieces, so that a check of any file stays far below 512 MiB of memory.
"""

import json
import math
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import sniff

MAX_HEADER = 8 * 1024 * 1024
MAX_TENSORS = 16_384
_MAX_NAME = 256
_MAX_RANK = 16
_MOST_NUMBERS = 2**48
_PIECE = 4 * 1024 * 1024
_BITS: dict[str, int] = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4,
    "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""dtype -> bytes of one number."""
Finite = Callable[[NDArray[Any]], NDArray[np.bool_]]
_FINITE: dict[str, tuple[str, Finite]] = {
    "F64": ("<f8", np.isfinite),
    "F32": ("<f4", np.isfinite),
    "F16": ("<f2", np.isfinite),
    "BF16": ("<u2", lambda raw: (raw & 0x7F80) != 0x7F80),
    "F8_E4M3": ("u1", lambda raw: (raw & 0x7F) != 0x7F),
    "F8_E5M2": ("u1", lambda raw: (raw & 0x7C) != 0x7C),
}


def check_tensors(path: Path, name: str) -> None:
    """Let pass a safetensors file of finite numbers.

    Raises:
        UnsafeArtifact: it is something else, or something else besides.
        BadModel: it is broken; says which tensor.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        begin = file.read(9)
        length = int.from_bytes(begin[:8], "little")
        if len(begin) < 9 or begin[8:9] != b"{" or length > size - 8:
            words = sniff.foreign(path)
            if words is not None:
                raise UnsafeArtifact(f"{name} is named safetensors but is {words}")
            raise BadModel(f"{name} is no safetensors file: its header does not fit into it")
        sniff.refuse_hidden(path, name)
        if length > MAX_HEADER:
            raise BadModel(f"{name}: the header has {length:,} bytes; {MAX_HEADER:,} are allowed")
        file.seek(8)
        spans = _spans(name, _header(name, file.read(length)))
        _check_layout(name, spans, size - 8 - length)
        for tensor, dtype, start, stop in spans:
            _check_finite(name, file, tensor, dtype, 8 + length + start, stop - start)


def _header(name: str, raw: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise BadModel(f"{name}: {key[:_MAX_NAME]!r} stands twice in the header")
            seen[key] = value
        if len(seen) > MAX_TENSORS:
            raise BadModel(
                f"{name}: there are {len(seen):,} tensors, {MAX_TENSORS:,} are allowed;"
                f" the first too many is {list(seen)[MAX_TENSORS][:_MAX_NAME]!r}"
            )
        return seen

    try:
        header = json.loads(raw.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise BadModel(f"{name}: its header is not JSON") from None
    if not isinstance(header, dict):
        raise BadModel(f"{name}: its header is no JSON object")
    return header


def _spans(name: str, header: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise BadModel(f"{name}: __metadata__ must map texts to texts")
    spans = []
    for tensor, about in header.items():
        who = f"{name}: tensor {tensor[:_MAX_NAME]!r}"
        if not tensor or len(tensor) > _MAX_NAME:
            raise BadModel(f"{who}: a name has 1 to {_MAX_NAME} characters")
        if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
            raise BadModel(f"{who} needs exactly dtype, shape and data_offsets")
        dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _BITS:
            raise BadModel(f"{who} has dtype {dtype!r:.40}; there are {', '.join(_BITS)}")
        if not _whole_numbers(shape) or len(shape) > _MAX_RANK:
            raise BadModel(f"{who}: its shape must have up to {_MAX_RANK} whole numbers from 0")
        numbers = math.prod(shape)
        if max(shape, default=0) > _MOST_NUMBERS or numbers > _MOST_NUMBERS:
            raise BadModel(f"{who} has an impossible shape: {str(shape)[:80]}")
        if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[1] < offsets[0]:
            raise BadModel(f"{who}: data_offsets must be two rising whole numbers")
        if offsets[1] - offsets[0] != numbers * _BITS[dtype]:
            raise BadModel(
                f"{who}: {dtype} of shape {shape} needs {numbers * _BITS[dtype]:,} bytes,"
                f" its span has {offsets[1] - offsets[0]:,}"
            )
        spans.append((tensor, dtype, offsets[0], offsets[1]))
    if not spans:
        raise BadModel(f"{name} holds no tensor")
    return sorted(spans, key=lambda span: (span[2], span[3]))


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _check_layout(name: str, spans: list[tuple[str, str, int, int]], size: int) -> None:
    if spans[0][2] != 0:
        raise BadModel(f"{name}: there are bytes before tensor {spans[0][0]!r} that none owns")
    for (_, _, _, stop), (tensor, _, start, _) in pairwise(spans):
        if start < stop:
            raise BadModel(f"{name}: tensor {tensor!r} overlaps the one before it")
        if start > stop:
            raise BadModel(f"{name}: there is a hole before tensor {tensor!r}")
    if spans[-1][3] != size:
        where = "goes past the end of the file" if spans[-1][3] > size else "is followed by more"
        raise BadModel(f"{name}: tensor {spans[-1][0]!r} {where}")


def _check_finite(
    name: str, file: BinaryIO, tensor: str, dtype: str, start: int, size: int
) -> None:
    if dtype not in _FINITE:
        return
    kind, finite = _FINITE[dtype]
    file.seek(start)
    while size > 0:
        piece = file.read(min(_PIECE, size))
        if not piece:
            raise BadModel(f"{name}: tensor {tensor!r} ends too early")
        size -= len(piece)
        if not finite(np.frombuffer(piece, dtype=kind)).all():
            raise BadModel(f"{name}: tensor {tensor!r} holds NaN or infinity")


def write_header(header: dict[str, Any]) -> bytes:
    """Return the first bytes of a safetensors file with this header."""
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw
