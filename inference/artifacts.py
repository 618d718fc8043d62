"""Keeps the files of models: by content, compressed, and checked whenever they are opened.

An artifact is a folder. Its manifest lists each file's path, size and SHA-256; the SHA-256 of the
manifest is the artifact's digest, so that nobody can change a byte and keep the name. Under `root`:

```
objects/ab/ab12….zst   files by the SHA-256 of their content, compressed with zstd
manifests/DIGEST.json
unpacked/DIGEST/       read-only folders that runtimes read
tmp/                   what is being written; whoever opens the store next removes what a dead
                       process left
```

Everything appears by a rename, after its bytes were flushed to the disk. Nothing is ever loaded:
`formats` looks at bytes.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from inference.bundle import BUNDLE_FILE
from inference.errors import BadModel, DamagedArtifact
from inference.formats.folder import FolderLimits, check_folder, list_files

_CHUNK = 1024 * 1024
_LEVEL = 3
_HEX = frozenset("0123456789abcdef")


class File(msgspec.Struct, frozen=True):
    """One file of an artifact."""

    path: str
    """Relative, with `/` between folders."""
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an artifact consists of, sorted by path."""

    files: tuple[File, ...]
    version: int = 1

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


class ArtifactStore:
    """One folder of artifacts. Several processes may use it at once; its calls block."""

    def __init__(self, root: Path, *, limits: FolderLimits | None = None) -> None:
        self._root = root
        self._limits = limits or FolderLimits()
        self._objects, self._manifests = root / "objects", root / "manifests"
        self._unpacked, self._tmp = root / "unpacked", root / "tmp"

    @property
    def limits(self) -> FolderLimits:
        """How large an artifact may be."""
        return self._limits

    def prepare(self) -> None:
        """Make the folders, and remove what processes that died left half written."""
        for folder in (self._objects, self._manifests, self._unpacked, self._tmp):
            folder.mkdir(parents=True, exist_ok=True)
        for left in self._tmp.iterdir():
            if left.suffix == ".lock" or not left.is_dir():
                continue
            with left.with_suffix(".lock").open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # Somebody is writing it now.
                _remove(left)
                Path(lock.name).unlink(missing_ok=True)

    def put(self, folder: Path) -> str:
        """Store a folder's files and return the artifact's digest; the same files, the same digest.

        Raises:
            BadModel: there is no bundle in it, or it is too large.
            UnsafeArtifact: a file is in a format that is not allowed.
            OSError: it could not be written, for instance because the disk is full. Nothing of it
                is left, and what was stored before is untouched.
        """
        with self.workshop() as work:
            # A copy is checked and stored, so that nobody can change it in between.
            copy = work / "files"
            copy.mkdir()
            files = []
            for path in list_files(folder, self._limits):
                target = copy / path
                target.parent.mkdir(parents=True, exist_ok=True)
                files.append(_copy(folder / path, target, path, most=self._limits.bytes_in_all))
            if BUNDLE_FILE not in {file.path for file in files}:
                raise BadModel(
                    f"the folder holds no {BUNDLE_FILE}; it says what goes in, what runs and what"
                    " comes out (docs/models.md)"
                )
            check_folder(copy, self._limits)
            manifest = Manifest(tuple(sorted(files, key=lambda file: file.path)))
            for file in manifest.files:
                self._store(copy / file.path, file, work)
            digest = self._store_manifest(manifest, work)
            self._publish(copy, digest)
            return digest

    def open(self, digest: str) -> Path:
        """Return a read-only folder with the artifact's files, each compared with the manifest.

        Raises:
            DamagedArtifact: a file is missing, changed or one too many.
        """
        manifest = self.manifest(digest)
        folder = self._unpacked / digest
        if not folder.is_dir():
            with self.workshop() as work:
                copy = work / "files"
                copy.mkdir()
                for file in manifest.files:
                    self._restore(file, copy / file.path, digest)
                self._publish(copy, digest)
        self._compare(folder, manifest, digest)
        return folder

    def verify(self, digest: str) -> Manifest:
        """Read everything that is stored of an artifact and return its manifest.

        Raises:
            DamagedArtifact: a stored file, or the unpacked folder, is not what was approved.
        """
        manifest = self.manifest(digest)
        for file in manifest.files:
            self._restore(file, None, digest)
        if (self._unpacked / digest).exists():
            self._compare(self._unpacked / digest, manifest, digest)
        return manifest

    def mend(self, digest: str) -> None:
        """Throw the unpacked folder away and make it anew from the stored files.

        Raises:
            DamagedArtifact: those are damaged too; import the model again.
        """
        self.manifest(digest)
        with self.workshop() as work, suppress(FileNotFoundError):
            (self._unpacked / digest).rename(work / "damaged")
        self.open(digest)

    def manifest(self, digest: str) -> Manifest:
        """Return an artifact's manifest.

        Raises:
            DamagedArtifact: it is missing or changed.
        """
        if len(digest) != 64 or not _HEX.issuperset(digest):
            raise BadModel(f"{digest[:80]!r} is no digest: that is 64 hexadecimal digits")
        try:
            data = (self._manifests / f"{digest}.json").read_bytes()
        except FileNotFoundError:
            raise DamagedArtifact(f"artifact {digest[:12]} is missing: no manifest") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamagedArtifact(f"artifact {digest[:12]}: its manifest was changed")
        return msgspec.json.decode(data, type=Manifest)

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """Lend a folder for half-made things; removed at the end, or by the next `prepare`."""
        self._tmp.mkdir(parents=True, exist_ok=True)
        # The lock stands beside the folder and is taken first: no moment without it.
        name = secrets.token_hex(8)
        with (self._tmp / f"{name}.lock").open("x") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            work = self._tmp / name
            try:
                work.mkdir()
                yield work
            finally:
                _remove(work)
                Path(lock.name).unlink(missing_ok=True)

    # --- writing ------------------------------------------------------------------------------

    def _store(self, source: Path, file: File, work: Path) -> None:
        target = self._object(file.sha256)
        if target.exists():
            return
        half = work / file.sha256
        with source.open("rb") as plain, half.open("xb") as packed:
            zstandard.ZstdCompressor(level=_LEVEL).copy_stream(plain, packed, size=file.size)
            _flush(packed)
        target.parent.mkdir(parents=True, exist_ok=True)
        half.replace(target)
        _flush_folder(target.parent)

    def _store_manifest(self, manifest: Manifest, work: Path) -> str:
        data = msgspec.json.encode(manifest)
        digest = hashlib.sha256(data).hexdigest()
        half = work / "manifest"
        with half.open("xb") as out:
            out.write(data)
            _flush(out)
        half.replace(self._manifests / f"{digest}.json")
        _flush_folder(self._manifests)
        return digest

    def _publish(self, copy: Path, digest: str) -> None:
        """Make a finished folder the unpacked one, unless another process was quicker."""
        for path in copy.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        target = self._unpacked / digest
        try:
            copy.rename(target)
        except OSError:
            # Another process was quicker; whoever opens it compares it anyway.
            if not target.is_dir():
                raise
        _flush_folder(self._unpacked)

    # --- reading ------------------------------------------------------------------------------

    def _restore(self, file: File, target: Path | None, digest: str) -> None:
        """Unpack one stored file to `target`, or only read it, and compare it with the manifest."""
        who = f"artifact {digest[:12]}: {file.path}"
        hashed, size = hashlib.sha256(), 0
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                self._object(file.sha256).open("rb") as packed,
                zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(packed) as plain,
                target.open("xb") if target is not None else _nothing() as out,
            ):
                while part := plain.read(_CHUNK):
                    size += len(part)
                    if size > file.size:
                        break
                    hashed.update(part)
                    if out is not None:
                        out.write(part)
                if out is not None:
                    _flush(out)
        except FileNotFoundError:
            raise DamagedArtifact(f"{who} is missing") from None
        except zstandard.ZstdError as wrong:
            raise DamagedArtifact(f"{who} cannot be unpacked: {wrong}") from None
        if size != file.size or hashed.hexdigest() != file.sha256:
            raise DamagedArtifact(f"{who} is not the file that was approved")

    def _compare(self, folder: Path, manifest: Manifest, digest: str) -> None:
        who = f"artifact {digest[:12]}"
        there = set()
        for path in folder.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                there.add(path.relative_to(folder).as_posix())
            elif not stat.S_ISDIR(mode):
                raise DamagedArtifact(f"{who}: {path.name} is neither a file nor a folder")
        expected = {file.path for file in manifest.files}
        if missing := sorted(expected - there):
            raise DamagedArtifact(f"{who}: {missing[0]} is missing")
        if added := sorted(there - expected):
            raise DamagedArtifact(f"{who}: {added[0]} was added")
        for file in manifest.files:
            try:
                descriptor = os.open(folder / file.path, os.O_RDONLY | os.O_NOFOLLOW)
            except OSError:
                raise DamagedArtifact(f"{who}: {file.path} cannot be read") from None
            with os.fdopen(descriptor, "rb") as opened:
                if os.fstat(descriptor).st_size != file.size:
                    raise DamagedArtifact(f"{who}: {file.path} has another size than was approved")
                if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
                    raise DamagedArtifact(f"{who}: {file.path} is not the file that was approved")

    def _object(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / f"{sha256}.zst"


def _copy(source: Path, target: Path, path: str, *, most: int) -> File:
    hashed, size = hashlib.sha256(), 0
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as plain, target.open("xb") as out:
        while part := plain.read(_CHUNK):
            size += len(part)
            if size > most:
                raise BadModel(f"{path} grew while it was read; {most:,} bytes are allowed")
            hashed.update(part)
            out.write(part)
        _flush(out)
    return File(path, size, hashed.hexdigest())


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove a folder whose parts may be read-only."""
    with suppress(FileNotFoundError):
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)
