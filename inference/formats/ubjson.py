"""Read UBJSON as XGBoost writes it: plain values, and typed arrays as NumPy arrays."""

import struct
from typing import Any

import numpy as np

from inference.errors import BadModel

_MAX_DEPTH = 32
_NUMBERS = {
    "i": (">b", 1), "U": (">B", 1), "I": (">h", 2), "l": (">i", 4), "L": (">q", 8),
    "d": (">f", 4), "D": (">d", 8),
}  # fmt: skip
_ARRAYS = {"i": "i1", "U": "u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_WORDS = {"Z": None, "T": True, "F": False}


class Reader:
    """Reads one document."""

    def __init__(self, data: memoryview, name: str) -> None:
        self._data = data
        self._name = name
        self._at = 0

    def document(self) -> Any:
        """Return what the whole file says.

        Raises:
            BadModel: it is no UBJSON, or more follows.
        """
        value = self._value(self._mark(), 0)
        if self._at != len(self._data):
            raise self._damaged("more follows after its end")
        return value

    def _value(self, mark: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise self._damaged(f"it is more than {_MAX_DEPTH} levels deep")
        if mark in _NUMBERS:
            form, size = _NUMBERS[mark]
            return struct.unpack(form, self._take(size))[0]
        if mark in _WORDS:
            return _WORDS[mark]
        if mark == "S":
            return self._text()
        if mark == "C":
            return self._take(1).tobytes().decode("latin-1")
        if mark == "[":
            return self._array(depth)
        if mark == "{":
            return self._object(depth)
        raise self._damaged(f"{mark!r} begins no value")

    def _array(self, depth: int) -> Any:
        if self._peek() == "$":
            self._mark()
            kind = self._mark()
            if kind not in _ARRAYS or self._mark() != "#":
                raise self._damaged("an array of an unknown kind")
            kind_of = np.dtype(_ARRAYS[kind])
            raw = self._take(self._count() * kind_of.itemsize)
            return np.frombuffer(raw, dtype=kind_of)
        if self._peek() == "#":
            self._mark()
            return [self._value(self._mark(), depth + 1) for _ in range(self._count())]
        found = []
        while (mark := self._mark()) != "]":
            found.append(self._value(mark, depth + 1))
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._peek() in ("$", "#"):
            raise self._damaged("an object of a kind that XGBoost does not write")
        while self._peek() != "}":
            key = self._text()
            if key in found:
                raise self._damaged(f"{key[:80]!r} stands twice")
            found[key] = self._value(self._mark(), depth + 1)
        self._mark()
        return found

    def _text(self) -> str:
        try:
            return self._take(self._count()).tobytes().decode()
        except UnicodeDecodeError:
            raise self._damaged("a text is not UTF-8") from None

    def _count(self) -> int:
        mark = self._mark()
        if mark not in "iUIlL":
            raise self._damaged("a length is no whole number")
        form, size = _NUMBERS[mark]
        count: int = struct.unpack(form, self._take(size))[0]
        # Each thing that is counted takes a byte at least.
        if not 0 <= count <= len(self._data) - self._at:
            raise self._damaged("a length is impossible")
        return count

    def _mark(self) -> str:
        return self._take(1).tobytes().decode("latin-1")

    def _peek(self) -> str:
        if self._at >= len(self._data):
            raise self._damaged("it ends too early")
        return chr(self._data[self._at])

    def _take(self, size: int) -> memoryview:
        if size > len(self._data) - self._at:
            raise self._damaged("it ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def _damaged(self, why: str) -> BadModel:
        return BadModel(f"{self._name} is damaged: {why}")
