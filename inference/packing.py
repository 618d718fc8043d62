"""One file for a folder of a model: a tar archive inside a zstd frame, to be sent and stored.

What comes in is read with suspicion: plain files with plain names, no more than was allowed, and an
end. Of `tarfile` only the headers' layout is used; it never extracts.
"""

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import zstandard

from inference.errors import BadModel, UnsafeArtifact
from inference.formats.folder import FolderLimits, check_path

MEDIA_TYPE = "application/zstd"
SUFFIX = ".tar.zst"
_CHUNK = 256 * 1024
_MAX_WINDOW = 2**27
_MOST_NOTES = 64 * 1024
_END = bytes(2 * tarfile.BLOCKSIZE)


def pack(folder: Path, *, extra: Mapping[str, bytes] | None = None) -> Iterator[bytes]:
    """Yield the packed folder in pieces, and `extra` files beside it; the same folder, the same
    bytes."""
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    for part in _archived(folder, extra or {}):
        if packed := compressor.compress(part):
            yield packed
    yield compressor.flush()


def _archived(folder: Path, extra: Mapping[str, bytes]) -> Iterator[bytes]:
    for name, data in sorted(extra.items()):
        yield _header(name, len(data))
        yield data
        yield _padding(len(data))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        yield _header(path.relative_to(folder).as_posix(), size)
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                yield part
        yield _padding(size)
    yield _END


def unpack(source: BinaryIO, into: Path, limits: FolderLimits) -> None:
    """Write the files of a packed folder.

    Raises:
        UnsafeArtifact: something in it is no plain file, or has a name that is not allowed.
        BadModel: it is cut, damaged or too large.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    try:
        with decompressor.stream_reader(source) as plain:
            files = _Files(plain, into, limits)
            while files.take():
                pass
    except (tarfile.HeaderError, zstandard.ZstdError, ValueError) as wrong:
        raise BadModel(f"it is no {SUFFIX} file, or a damaged one: {wrong}") from None
    if not files.names:
        raise BadModel("there are no files in it")


class _Files:
    """Takes one file after the other out of an archive."""

    def __init__(self, plain: BinaryIO, into: Path, limits: FolderLimits) -> None:
        self._plain = plain
        self._into = into
        self._limits = limits
        self._size = 0
        self.names: set[str] = set()

    def take(self) -> bool:
        """Write the next file; False at the end of the archive."""
        block = self._exactly(tarfile.BLOCKSIZE)
        if block == bytes(tarfile.BLOCKSIZE):
            return False
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if entry.type in (tarfile.XHDTYPE, tarfile.XGLTYPE):
            self._skip_notes(entry)
            return True
        name = entry.name.removeprefix("./").rstrip("/")
        if entry.isdir() and name in ("", "."):
            return True
        check_path(name)
        if entry.isdir():
            return True
        if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise UnsafeArtifact(f"{name} is no plain file")
        self._size += entry.size
        if name in self.names:
            raise UnsafeArtifact(f"{name} stands twice in it")
        self.names.add(name)
        if self._size > self._limits.bytes_in_all or len(self.names) > self._limits.files:
            raise BadModel(
                f"the model is too large; {self._limits.bytes_in_all:,} bytes and"
                f" {self._limits.files:,} files are allowed"
            )
        self._write(self._into / name, entry.size)
        return True

    def _write(self, target: Path, size: int) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        left = size
        with target.open("xb") as out:
            while left:
                part = self._exactly(min(_CHUNK, left))
                left -= len(part)
                out.write(part)
        self._exactly(-size % tarfile.BLOCKSIZE)

    def _skip_notes(self, entry: tarfile.TarInfo) -> None:
        """Pass over what some programs note of times; names and sizes must stand in the header."""
        if entry.size > _MOST_NOTES:
            raise BadModel("a header in it is too long")
        notes = self._exactly(entry.size)
        self._exactly(-entry.size % tarfile.BLOCKSIZE)
        if any(b" " + key in notes for key in (b"path=", b"linkpath=", b"size=", b"GNU.sparse")):
            raise UnsafeArtifact("a name in it is too long, or a file is not plain")

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._plain.read(size)
            if not part:
                raise BadModel("it was cut: the archive has no end")
            size -= len(part)
            parts.append(part)
        return b"".join(parts)


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
