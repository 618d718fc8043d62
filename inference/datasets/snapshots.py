"""Versions of bars as files: columns in safetensors, packed with zstd, named by their address.

A snapshot is read back only if it is what its manifest says, number by number.
"""

import os
from pathlib import Path
from uuid import uuid4

import numpy as np
import zstandard
from safetensors import SafetensorError
from safetensors.numpy import load, save

from inference.datasets.versions import BarsManifest, columns_of, series_digest
from inference.errors import DamagedArtifact
from inference.panel import Panel, Series

_SUFFIX = ".bars.zst"
_MOST_BYTES = 8 * 1024**3


def snapshot_path(root: Path, digest: str) -> Path:
    """Return where the version of this address lies below `root`."""
    return root / f"{digest}{_SUFFIX}"


def write_snapshot(root: Path, panel: Panel, manifest: BarsManifest) -> Path:
    """Write a version, unless it is there; a reader never sees half of it."""
    path = snapshot_path(root, manifest.digest())
    if path.exists():
        return path
    tensors: dict[str, np.ndarray] = {}
    for index, one in enumerate(manifest.series):
        series = panel.of(one.symbol)
        tensors[f"{index}/times"] = series.times.astype("datetime64[s]").astype(np.int64)
        for name, column in columns_of(series).items():
            tensors[f"{index}/{name}"] = np.ascontiguousarray(column, dtype=np.float64)
    packed = zstandard.ZstdCompressor(level=9).compress(save(tensors))
    root.mkdir(parents=True, exist_ok=True)
    partial = root / f".{path.name}.{uuid4().hex}"
    try:
        with partial.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read_snapshot(path: Path, manifest: BarsManifest) -> Panel:
    """Return the prices of a version.

    Raises:
        FileNotFoundError: it is not here.
        DamagedArtifact: the file does not hold what the manifest says.
    """
    try:
        unpacked = zstandard.ZstdDecompressor().decompress(
            path.read_bytes(), max_output_size=_MOST_BYTES
        )
        tensors = load(unpacked)
        series = tuple(
            _series(one.symbol, index, tensors) for index, one in enumerate(manifest.series)
        )
    except (zstandard.ZstdError, SafetensorError, KeyError, ValueError) as wrong:
        raise DamagedArtifact(f"the dataset's file {path.name} cannot be read: {wrong}") from wrong
    for one, said in zip(series, manifest.series, strict=True):
        if len(one) != said.rows or series_digest(one) != said.sha256:
            raise DamagedArtifact(
                f"the dataset's file {path.name} holds other bars of {said.symbol} than it says"
            )
    return Panel(manifest.timeframe, series, manifest.bars_a_year)


def _series(symbol: str, index: int, tensors: dict[str, np.ndarray]) -> Series:
    def column(name: str) -> np.ndarray:
        return tensors[f"{index}/{name}"]

    return Series(
        symbol,
        column("times").astype("datetime64[s]"),
        *(column(name) for name in ("open", "high", "low", "close", "volume", "total")),
    )
