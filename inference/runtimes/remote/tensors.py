"""Tensors as bytes: what gRPC servers take and give. Pure.

Numbers are little endian and row by row; a text is its length in four bytes and then itself.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadInput, BadModel, ModelFailed
from inference.requests import Floats
from inference.runtimes.remote.line import MOST_READ
from inference.runtimes.remote.signature import TEXTS, Sent

DTYPES = {
    "FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4", "INT16": "<i2",
    "INT8": "<i1", "UINT64": "<u8", "UINT32": "<u4", "UINT16": "<u2", "UINT8": "<u1", "BOOL": "<?",
}  # fmt: skip
_MOST_NUMBERS = MOST_READ // 4
"""Of one tensor: a shape and one value to fill it with are short, whatever they stand for."""


def pack(sent: Sent) -> bytes:
    """Return a tensor as bytes.

    Raises:
        BadInput: a number does not fit into the server's type.
        BadModel: it is no type that the desk can send.
    """
    if isinstance(sent.values, tuple):
        return pack_texts([text.encode() for text in sent.values])
    return in_type(sent.values, sent.datatype, name=sent.name).tobytes()


def in_type(values: Floats, datatype: str, *, name: str) -> NDArray[Any]:
    """Return numbers in the server's type; whole types are rounded to, BOOL is "not zero".

    Raises:
        BadInput: one does not fit into it.
        BadModel: it is no type that the desk can send.
    """
    known = DTYPES.get(datatype)
    if known is None:
        raise BadModel(f"the server's input {name!r} is {datatype}; it may be {', '.join(DTYPES)}")
    dtype = np.dtype(known)
    if dtype.kind == "b":
        return np.not_equal(values, 0.0)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            made = values.astype(dtype)
        fits = np.isfinite(made)
    else:
        whole, limits = np.rint(values), np.iinfo(dtype)
        # As a float the highest of 64 bits is one too high: it is the first that is out.
        fits = (whole >= float(limits.min)) & (whole < float(limits.max) + 1.0)
        made = np.where(fits, whole, 0.0).astype(dtype)
    if not fits.all():
        wrong = values[~fits].ravel()[0]
        raise BadInput(f"the server's input {name!r} is {datatype}, which cannot hold {wrong:g}")
    return made


def unpack(data: bytes, datatype: str, sizes: Sequence[int], *, name: str) -> Any:
    """Return a tensor: numbers in its shape, or its texts as a list.

    Raises:
        ModelFailed: it is not what its type and shape say.
    """
    if datatype in TEXTS:
        return decoded(unpack_texts(data, name=name), sizes, name=name)
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise ModelFailed(f"the server's output {name!r} is {datatype}, which is not understood")
    if len(data) % np.dtype(dtype).itemsize:
        raise ModelFailed(f"the server's output {name!r} has {len(data)} bytes of {datatype}")
    return shaped(np.frombuffer(data, dtype), sizes, name=name)


def shaped(values: NDArray[Any], sizes: Sequence[int], *, name: str, fill: bool = False) -> Floats:
    """Return numbers in the shape that the server says; with `fill`, the last one is repeated.

    Raises:
        ModelFailed: there are more or fewer than it says, or too many.
    """
    count = prod(sizes) if all(size >= 0 for size in sizes) else -1
    if count > _MOST_NUMBERS:
        raise ModelFailed(f"the server's output {name!r} has more than {_MOST_NUMBERS:,} numbers")
    found = values.astype(np.float64)
    if fill and 0 < len(found) < count:
        found = np.concatenate([found, np.full(count - len(found), found[-1])])
    if len(found) != count:
        raise ModelFailed(
            f"the server's output {name!r} does not have the shape {list(sizes)} that it says"
        )
    return found.reshape(tuple(sizes))


def decoded(texts: Sequence[bytes], sizes: Sequence[int], *, name: str) -> list[str]:
    """Return the texts of an output, one a row.

    Raises:
        ModelFailed: there are more or fewer than the shape says, or they are no texts.
    """
    if prod(sizes) != len(texts):
        raise ModelFailed(f"the server's output {name!r} has {len(texts)} texts for {list(sizes)}")
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError:
        raise ModelFailed(f"the server's output {name!r} holds what is no UTF-8") from None


def pack_texts(texts: Sequence[bytes]) -> bytes:
    """Return texts, each after its length."""
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def unpack_texts(data: bytes, *, name: str) -> list[bytes]:
    """Return the texts that follow each other.

    Raises:
        ModelFailed: a length says more than there is.
    """
    found, at = [], 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start], "little")
        if start > len(data) or at > len(data):
            raise ModelFailed(f"the server's output {name!r} ends within a text")
        found.append(data[start:at])
    return found
