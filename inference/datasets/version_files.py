"""Where the file of a version lies, of whichever kind it is, and whether it is what it says."""

from pathlib import Path
from typing import Any

import msgspec

from inference.datasets.intake import TableManifest, check_table, table_path
from inference.datasets.snapshots import read_snapshot, snapshot_path
from inference.datasets.texts import TextsManifest, read_texts, texts_path
from inference.datasets.versions import BarsManifest, read_manifest
from inference.errors import DamagedArtifact

Manifest = TableManifest | TextsManifest | BarsManifest


def manifest_from(stored: dict[str, Any]) -> Manifest:
    """Return a stored manifest.

    Raises:
        DamagedArtifact: it is none.
    """
    kind = stored.get("kind")
    try:
        if kind == "table":
            return msgspec.convert(stored, TableManifest)
        if kind == "texts":
            return msgspec.convert(stored, TextsManifest)
        return read_manifest(stored)
    except msgspec.ValidationError as wrong:
        raise DamagedArtifact(f"this is no manifest of a dataset: {wrong}") from wrong


def version_path(root: Path, manifest: Manifest) -> Path:
    """Return where a version lies below `root`."""
    digest = manifest.digest()
    if isinstance(manifest, TableManifest):
        return table_path(root, digest)
    if isinstance(manifest, TextsManifest):
        return texts_path(root, digest)
    return snapshot_path(root, digest)


def check_version(path: Path, manifest: Manifest) -> None:
    """See that a file is what its manifest says, value by value.

    Raises:
        FileNotFoundError: it is not here.
        DamagedArtifact: it holds something else, or cannot be read.
    """
    if isinstance(manifest, TableManifest):
        check_table(path, manifest)
    elif isinstance(manifest, TextsManifest):
        read_texts(path, manifest)
    else:
        read_snapshot(path, manifest)
