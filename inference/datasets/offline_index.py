"""What an offline view's folder holds, as its index says it.

The index is replaced in one step after the files are on the disk; what it does not name is nothing.
"""

import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from inference.datasets.feature_sets import FeatureSet
from inference.errors import DamagedArtifact

INDEX = "index.json"
LOCK = ".lock"


class FeatureFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of a view."""

    name: str
    year: int
    rows: int
    size: int
    """Bytes."""


class OfflineIndex(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a view's folder holds."""

    store: str
    """Of this folder alone: an online store can tell that it was begun anew."""
    definition: FeatureSet
    batch: int
    """How often rows were added; each row says which time brought it."""
    files: tuple[FeatureFile, ...]
    retired: tuple[str, ...] = ()
    """Files that somebody may still read; the next change removes them."""
    rows: int
    corrections: int
    """So many rows told of a moment anew."""
    entities: int
    first_event_at: datetime
    newest_event_at: datetime
    built_at: datetime
    applied: int = 0
    """The newest version of its dataset that was taken; 0: of no dataset."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)


def read_index(folder: Path) -> OfflineIndex | None:
    """Return what is stored in a folder; None if nothing is.

    Raises:
        DamagedArtifact: the index cannot be read.
    """
    try:
        stored = (folder / INDEX).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(stored, type=OfflineIndex)
    except msgspec.DecodeError as wrong:
        raise DamagedArtifact(f"the index of {folder.name} cannot be read: {wrong}") from wrong


def write_index(folder: Path, index: OfflineIndex) -> None:
    """Replace the index of a folder in one step."""
    content = msgspec.json.format(msgspec.json.encode(index))
    partial = folder / f".{INDEX}.{uuid4().hex}"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / INDEX)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sweep(folder: Path, index: OfflineIndex | None) -> None:
    """Remove what processes that died left, and what nobody reads any more."""
    kept = {INDEX, LOCK} | {one.name for one in (() if index is None else index.files)}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink(missing_ok=True)
