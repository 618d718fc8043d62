"""Models' files survive whatever happens while they are written (F39, F40)."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from inference.artifacts import ArtifactStore
from inference.errors import DamagedArtifact
from tests.fakes.cards import write_model

pytestmark = pytest.mark.fault

REPOSITORY = Path(__file__).parents[2]
_RENAMES = 5
"""A put of two new files renames so often: two objects, the manifest, the unpacked folder; and once
more than it does, to be sure that each was met."""
_PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from inference.artifacts import ArtifactStore

    root, folder, when, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    count = 0

    def stop_at(real):
        def renamed(self, target):
            global count
            count += 1
            if count == number and when == "before":
                print("now", flush=True)
                time.sleep(60)
            done = real(self, target)
            if count == number and when == "after":
                print("now", flush=True)
                time.sleep(60)
            return done
        return renamed

    Path.rename, Path.replace = stop_at(Path.rename), stop_at(Path.replace)
    print(ArtifactStore(root).put(folder), flush=True)
    """
)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path / "artifacts")
    store.prepare()
    return store


def _files(root: Path, inside: str) -> list[Path]:
    return [path for path in (root / inside).rglob("*") if path.is_file()]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_rename_the_old_model_serves_and_nothing_half_made_stays(
    when: str, store: ArtifactStore, tmp_path: Path
) -> None:
    root = tmp_path / "artifacts"
    old = store.put(write_model(tmp_path / "old"))
    met = 0
    for number in range(1, _RENAMES + 1):
        folder = write_model(tmp_path / f"new{number}", slope=10.0 + number)
        (folder / "words.txt").write_text(f"word {number}\n" * 1000)
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(root), str(folder), when, str(number)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if said == "now":
            met += 1
            # It is alive: what it writes is its own, whoever else starts.
            store.prepare()
            assert _files(root, "tmp")
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
        process.stdout.close()
        store.prepare()
        assert not _files(root, "tmp"), f"{when} rename {number}"
        store.open(old)
        digest = store.put(folder)
        store.verify(digest)
        store.open(digest)
    assert met >= 4


def _put_in_another_process(
    root: Path, folder: Path, *, most_bytes: int
) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from inference.artifacts import ArtifactStore
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
        try:
            print(ArtifactStore(Path(sys.argv[1])).put(Path(sys.argv[2])))
        except OSError as error:
            print("refused", error.errno)
        """
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(root), str(folder), str(most_bytes)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )


def test_a_disk_that_is_full_half_way_leaves_nothing_and_the_old_model_serves(
    store: ArtifactStore, tmp_path: Path
) -> None:
    """The kernel refuses the write in the middle of the file, as a full disk does."""
    root = tmp_path / "artifacts"
    old = store.put(write_model(tmp_path / "old"))
    before = sorted(_files(root, "."))
    folder = write_model(tmp_path / "new", slope=3.0)
    (folder / "words.txt").write_bytes(os.urandom(500_000).hex().encode())
    done = _put_in_another_process(root, folder, most_bytes=500_000)
    assert done.stdout.split() == ["refused", str(errno.EFBIG)]
    assert sorted(_files(root, ".")) == before
    store.open(old)
    done = _put_in_another_process(root, folder, most_bytes=2_000_000)
    store.verify(done.stdout.strip())


def test_no_space_at_any_flush_leaves_nothing_half_made(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "artifacts"
    old = store.put(write_model(tmp_path / "old"))
    flush, failed = os.fsync, 0
    for number in range(1, 30):
        folder = write_model(tmp_path / f"new{number}", slope=10.0 + number)
        calls = 0

        def full(descriptor: int, number: int = number) -> None:
            nonlocal calls
            calls += 1
            if calls == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        refused = _no_space(store, folder)
        monkeypatch.setattr(os, "fsync", flush)
        assert not _files(root, "tmp")
        store.open(old)
        # What did get there is whole: the next try goes on from it.
        store.verify(store.put(folder))
        failed += refused
        if not refused:
            break
    assert failed >= 6


def _no_space(store: ArtifactStore, folder: Path) -> bool:
    """Put a folder; tell whether the disk was full."""
    try:
        store.put(folder)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return True
    return False


def test_a_file_replaced_while_it_serves_is_refused_from_the_next_open_on(
    store: ArtifactStore, tmp_path: Path
) -> None:
    digest = store.put(write_model(tmp_path / "m"))
    other = write_model(tmp_path / "other", slope=-2.0) / "ridge.safetensors"
    served = store.open(digest) / "ridge.safetensors"
    served.parent.chmod(0o755)
    # Of the same size, and a perfectly good file by itself.
    assert other.stat().st_size == served.stat().st_size
    other.replace(served)
    for _ in range(2):
        with pytest.raises(DamagedArtifact, match="is not the file that was approved"):
            store.open(digest)
