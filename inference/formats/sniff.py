"""What is this file really? Names the formats that are not allowed, by their first and last bytes.

Only looks: `zipfile`, `tarfile`, `pickle` and the frameworks are not asked.
"""

import struct
from pathlib import Path

from inference.errors import UnsafeArtifact

_HEAD = 4096
_TAIL = 65_557
"""Where the directory of a zip may begin its end: 22 bytes and the longest comment."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP_END = b"PK\x05\x06"
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (PyTorch's .pt, Keras and .npz are such)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (_HDF5, "an HDF5 file, which may hold code of Keras layers"),
    (b"\x93NUMPY", "a NumPy file, which may hold pickled objects"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"(\xb5/\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"ZF", "a joblib file, which is pickled"),
    (b"GGUF", "a GGUF file; a server such as llama.cpp runs those (deploymentUrl)"),
)
_PICKLE_OPCODES = frozenset(b"(.012FIJKMLNPQRSTUVXabcdeghijlopqrstu\x80\x81\x82\x83\x84\x85\x86\x87"
                            b"\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"
                            b"BCG]})")  # fmt: skip


def ends(path: Path) -> tuple[bytes, bytes, int]:
    """Return a file's first bytes, its last, and its size."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return head, file.read(_TAIL), size


def foreign(path: Path) -> str | None:
    """Return in words which format that is not allowed a file has; None if none is recognised."""
    head, tail, size = ends(path)
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            return words
    return _pickle(head, tail) or hidden(head, tail, size, path)


def hidden(head: bytes, tail: bytes, size: int, path: Path) -> str | None:
    """Return which second format a file has besides its first; None if none is recognised."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    if any(head[at : at + 8] == _HDF5 for at in (512, 1024, 2048)):
        return "an HDF5 file behind a user block"
    if _has_zip_end(tail, size, path):
        return "a zip archive behind other bytes"
    return None


def refuse_hidden(path: Path, name: str) -> None:
    """Let pass a file that is one thing only.

    Raises:
        UnsafeArtifact: another program would read it as another format.
    """
    head, tail, size = ends(path)
    if words := hidden(head, tail, size, path):
        raise UnsafeArtifact(f"{name} is at the same time {words}")


def _pickle(head: bytes, tail: bytes) -> str | None:
    words = "a pickle (joblib and old PyTorch files are such), which runs code when it is loaded"
    if head[:1] == b"\x80" and len(head) > 2 and head[1] <= 5 and head[2] in _PICKLE_OPCODES:
        return words
    # Protocol 0 has no mark of its own: an opcode that begins an object, and the stop at the end.
    if tail.rstrip(b"\n")[-1:] == b"." and (
        (head[:1] == b"c" and head[:200].count(b"\n") >= 2)
        or head[:2] in (b"(l", b"(d", b"(i", b"(c", b"(t", b"]q", b"}q")
    ):
        return words
    return None


def _has_zip_end(tail: bytes, size: int, path: Path) -> bool:
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        if len(tail) - at >= 22:
            directory_size, directory_at, comment = struct.unpack_from("<IIH", tail, at + 12)
            begins = size - len(tail) + at - directory_size
            if len(tail) - at - 22 == comment and begins >= 0 and directory_at <= begins:
                with path.open("rb") as file:
                    file.seek(begins)
                    if directory_size == 0 or file.read(4) == b"PK\x01\x02":
                        return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False
