"""Versions of labelled texts: a manifest with the address of their content, and their file.

As `versions` and `snapshots` are for bars, but texts are rows: one JSON array a column, packed.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import zstandard

from inference.errors import BadInput, DamagedArtifact

_MOST_BYTES = 2 * 1024**3
_NEVER = datetime.min.replace(tzinfo=UTC)


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled texts as columns; `times` and `groups` are empty where nobody gave them."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    times: tuple[datetime, ...] = ()
    """When each became known, UTC."""
    groups: tuple[str, ...] = ()
    numbers: dict[str, tuple[float, ...]] = {}
    """Further columns, computed when the texts were recorded."""


class TextsManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a version holds, without the texts."""

    schema_version: int = 1
    kind: str = "texts"
    rows: int
    labels: dict[str, int]
    """Label -> how many texts have it."""
    has_times: bool
    has_groups: bool
    numbers: tuple[str, ...] = ()
    """Names of further columns."""
    as_of: datetime
    """When the newest became known, or when they were recorded, UTC."""
    sha256: str
    source: str = ""

    def digest(self) -> str:
        """Return the version's address: that of its content, whenever it was recorded."""
        plain = msgspec.structs.replace(self, as_of=_NEVER, source="")
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def texts_manifest(texts: Texts, *, recorded_at: datetime, source: str) -> TextsManifest:
    """Return the manifest of labelled texts.

    Raises:
        BadInput: there are none, or the columns differ in length.
    """
    count = len(texts.texts)
    if not count:
        raise BadInput("there are no texts to make a dataset of")
    columns: dict[str, Sequence[object]] = {
        "labels": texts.labels,
        "times": texts.times,
        "groups": texts.groups,
        **texts.numbers,
    }
    for name, column in columns.items():
        if len(column) != count and (column or name not in ("times", "groups")):
            raise BadInput(f"there are {count} texts and {len(column)} {name}")
    return TextsManifest(
        rows=count,
        labels=dict(sorted(Counter(texts.labels).items())),
        has_times=bool(texts.times),
        has_groups=bool(texts.groups),
        numbers=tuple(sorted(texts.numbers)),
        as_of=max(texts.times) if texts.times else recorded_at,
        sha256=hashlib.sha256(msgspec.json.encode(texts)).hexdigest(),
        source=source,
    )


def texts_path(root: Path, digest: str) -> Path:
    """Return where the version of this address lies below `root`."""
    return root / f"{digest}.texts.zst"


def write_texts(root: Path, texts: Texts, manifest: TextsManifest) -> Path:
    """Write a version, unless it is there; a reader never sees half of it."""
    path = texts_path(root, manifest.digest())
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        partial = root / f".{path.name}.{uuid4().hex}"
        partial.write_bytes(zstandard.ZstdCompressor(level=9).compress(msgspec.json.encode(texts)))
        partial.replace(path)
    return path


def read_texts(path: Path, manifest: TextsManifest) -> Texts:
    """Return the texts of a version.

    Raises:
        FileNotFoundError: it is not here.
        DamagedArtifact: the file does not hold what the manifest says.
    """
    try:
        data = zstandard.ZstdDecompressor().decompress(
            path.read_bytes(), max_output_size=_MOST_BYTES
        )
    except zstandard.ZstdError as wrong:
        raise DamagedArtifact(f"the dataset's file {path.name} cannot be read: {wrong}") from wrong
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise DamagedArtifact(f"the dataset's file {path.name} holds other texts than it says")
    return msgspec.json.decode(data, type=Texts)
