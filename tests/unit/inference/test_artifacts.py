"""The store of files: by content, and never a byte that was not approved."""

import os
import threading
from pathlib import Path

import pytest

from inference.artifacts import ArtifactStore
from inference.bundle import BUNDLE_FILE
from inference.errors import BadModel, DamagedArtifact, UnsafeArtifact
from inference.formats.folder import FolderLimits
from tests.fakes.cards import write_model


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path / "artifacts")
    store.prepare()
    return store


def test_what_was_put_is_opened_byte_for_byte_and_the_same_files_have_the_same_digest(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "model")
    digest = store.put(folder)
    opened = store.open(digest)
    for file in folder.iterdir():
        assert (opened / file.name).read_bytes() == file.read_bytes()
    assert store.put(write_model(tmp_path / "again")) == digest
    assert store.put(write_model(tmp_path / "other", slope=3.0)) != digest
    manifest = store.manifest(digest)
    assert [file.path for file in manifest.files] == [BUNDLE_FILE, "ridge.safetensors"]
    assert manifest.size == sum(file.stat().st_size for file in folder.iterdir())


def test_what_is_unpacked_cannot_be_written(store: ArtifactStore, tmp_path: Path) -> None:
    opened = store.open(store.put(write_model(tmp_path / "model")))
    assert all(not file.stat().st_mode & 0o222 for file in opened.iterdir())


def _unpacked(store: ArtifactStore, digest: str, name: str) -> Path:
    file = store.open(digest) / name
    file.parent.chmod(0o755)
    file.chmod(0o644)
    return file


def test_a_file_replaced_after_approval_is_noticed_at_the_next_load(
    store: ArtifactStore, tmp_path: Path
) -> None:
    digest = store.put(write_model(tmp_path / "model"))
    file = _unpacked(store, digest, "ridge.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedArtifact, match=r"ridge\.safetensors is not the file"):
        store.open(digest)
    store.mend(digest)
    assert (store.open(digest) / "ridge.safetensors").read_bytes() != data


def test_a_file_that_was_added_cut_or_linked_is_noticed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    digest = store.put(write_model(tmp_path / "model"))
    file = _unpacked(store, digest, "ridge.safetensors")
    (file.parent / "more.json").write_text("{}")
    with pytest.raises(DamagedArtifact, match=r"more\.json was added"):
        store.open(digest)
    (file.parent / "more.json").unlink()
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    with pytest.raises(DamagedArtifact, match="another size"):
        store.open(digest)
    file.unlink()
    with pytest.raises(DamagedArtifact, match="is missing"):
        store.open(digest)
    (tmp_path / "elsewhere").write_bytes(data)
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedArtifact, match="neither a file nor a folder"):
        store.open(digest)


def test_a_stored_file_or_manifest_that_was_changed_is_noticed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    digest = store.put(write_model(tmp_path / "model"))
    packed = next((tmp_path / "artifacts" / "objects").rglob("*.zst"))
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 255
    packed.write_bytes(data)
    with pytest.raises(DamagedArtifact):
        store.verify(digest)
    with pytest.raises(DamagedArtifact):
        store.mend(digest)
    manifest = tmp_path / "artifacts" / "manifests" / f"{digest}.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"ridge", b"fudge"))
    with pytest.raises(DamagedArtifact, match="its manifest was changed"):
        store.open(digest)


def test_an_artifact_that_is_not_there_is_damaged_and_nonsense_is_no_digest(
    store: ArtifactStore,
) -> None:
    with pytest.raises(DamagedArtifact, match="is missing"):
        store.open("0" * 64)
    with pytest.raises(BadModel, match="is no digest"):
        store.open("../../etc/passwd")


def test_a_folder_without_a_bundle_or_too_large_is_refused_and_leaves_nothing(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "model")
    small = ArtifactStore(tmp_path / "artifacts", limits=FolderLimits(bytes_in_all=100))
    with pytest.raises(BadModel, match="100 are allowed"):
        small.put(folder)
    (folder / BUNDLE_FILE).unlink()
    with pytest.raises(BadModel, match=r"holds no bundle\.json"):
        store.put(folder)
    (folder / "setup.py").write_text("print('hello')")
    with pytest.raises(BadModel):
        store.put(folder)
    assert not list((tmp_path / "artifacts").rglob("*.*"))


def test_an_unsafe_file_is_refused_and_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "setup.py").write_text("print('hello')")
    with pytest.raises(UnsafeArtifact, match=r"setup\.py: it is code"):
        store.put(folder)
    assert not [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def test_two_uploads_of_one_model_at_once_both_succeed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "vocab.txt").write_text("word\n" * 100_000)
    start, digests = threading.Barrier(4), []

    def put() -> None:
        start.wait(timeout=10)
        digests.append(ArtifactStore(tmp_path / "artifacts").put(folder))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(digests) == 4
    assert len(set(digests)) == 1
    assert store.verify(digests[0]).size > 0
    assert not list((tmp_path / "artifacts" / "tmp").iterdir())


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_stays(
    store: ArtifactStore, tmp_path: Path
) -> None:
    left = tmp_path / "artifacts" / "tmp" / "left"
    (left / "files").mkdir(parents=True)
    (left / "files" / "half").write_bytes(b"half")
    left.with_suffix(".lock").touch()
    with store.workshop() as work:
        (work / "mine").write_bytes(b"mine")
        ArtifactStore(tmp_path / "artifacts").prepare()
        assert (work / "mine").exists()
        assert not left.exists()
        assert not left.with_suffix(".lock").exists()
    assert os.listdir(tmp_path / "artifacts" / "tmp") == []
