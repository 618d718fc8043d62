"""Packed models: out and in again, and what no program of ours wrote."""

import io
import tarfile
from pathlib import Path

import pytest
import zstandard

from inference.errors import BadModel, UnsafeArtifact
from inference.formats.folder import FolderLimits
from inference.packing import pack, unpack
from tests.fakes.cards import write_model

LIMITS = FolderLimits(files=10, bytes_in_all=5_000_000)


def _unpack(data: bytes, into: Path, limits: FolderLimits = LIMITS) -> None:
    unpack(io.BytesIO(data), into, limits)


def _tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return zstandard.compress(out.getvalue())


def test_a_packed_folder_comes_out_as_it_went_in_and_always_the_same(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "net" / "variables").mkdir(parents=True)
    (folder / "net" / "variables" / "variables.index").write_bytes(bytes(1024))
    (folder / "words.txt").write_text("word\n" * 200_000)
    data = b"".join(pack(folder, extra={"card.json": b"{}"}))
    assert data == b"".join(pack(folder, extra={"card.json": b"{}"}))
    _unpack(data, tmp_path / "out")
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    out = tmp_path / "out"
    assert sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file()) == sorted(
        [*files, Path("card.json")]
    )
    assert all((out / file).read_bytes() == (folder / file).read_bytes() for file in files)


def test_tar_itself_reads_and_writes_such_files(tmp_path: Path) -> None:
    data = b"".join(pack(write_model(tmp_path / "m")))
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.getnames() == ["bundle.json", "ridge.safetensors"]
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            archive.add(tmp_path / "m", arcname=".")
        _unpack(zstandard.compress(out.getvalue()), tmp_path / str(form))
        assert (tmp_path / str(form) / "bundle.json").exists()


def test_cut_anywhere_before_the_end_it_is_refused(tmp_path: Path) -> None:
    data = b"".join(pack(write_model(tmp_path / "m")))
    # The last bytes are only the frame's own check sum and end.
    for at in range(0, len(data) - 16, 5):
        with pytest.raises(BadModel):
            _unpack(data[:at], tmp_path / f"cut{at}")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
     tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME],
)  # fmt: skip
def test_what_is_no_plain_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.json")
    entry.type, entry.linkname = kind, "b.json"
    with pytest.raises(UnsafeArtifact):
        _unpack(_tar((entry, b"")), tmp_path / "out")


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "a/../../b.json", ".ssh/a", "a b.json"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeArtifact):
        _unpack(_tar((tarfile.TarInfo(name), b"{}")), tmp_path / "out")
    assert not list(tmp_path.rglob("*.json"))


def test_a_name_hidden_in_a_note_is_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.json")
    entry.pax_headers = {"path": "../evil.json"}
    with pytest.raises(UnsafeArtifact):
        _unpack(_tar((entry, b"{}"), form=tarfile.PAX_FORMAT), tmp_path / "out")


def test_too_much_of_anything_is_refused_before_it_is_written(tmp_path: Path) -> None:
    big = _tar((tarfile.TarInfo("a.json"), bytes(6_000_000)))
    assert len(big) < 10_000
    with pytest.raises(BadModel, match="too large"):
        _unpack(big, tmp_path / "big")
    many = _tar(*((tarfile.TarInfo(f"f{n}.json"), b"{}") for n in range(11)))
    with pytest.raises(BadModel, match="too large"):
        _unpack(many, tmp_path / "many")
    twice = _tar(*((tarfile.TarInfo("a.json"), b"{}") for _ in range(2)))
    with pytest.raises(UnsafeArtifact, match="twice"):
        _unpack(twice, tmp_path / "twice")
