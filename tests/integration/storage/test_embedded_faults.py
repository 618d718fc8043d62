"""Postgres killed, starved of disk and run by other users, each time on a cluster of its own."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import Unavailable
from app.domain.ids import ConversationId, RunId, new_id
from app.domain.journal import Batch
from app.domain.runs import StoredEvent
from app.storage.embedded import EmbeddedPostgres
from app.storage.embedded_server import Server
from app.storage.engine import Database
from app.storage.errors import DiskFull
from app.storage.journal_store import PostgresJournal
from app.storage.migrate import upgrade
from tests.integration.storage.clusters import new_data_dir, postmaster_pid, remove_data_dir

_ROOT = Path(__file__).resolve().parents[3]
_AS_USER = """
import asyncio, os, sys
from pathlib import Path
from app.storage.embedded import EmbeddedPostgres
from app.storage.errors import EmbeddedPostgresError

async def main():
    try:
        async with EmbeddedPostgres(Path(sys.argv[1]), least_free_bytes=0) as postgres:
            cluster = postgres.place.cluster
            pid = int((cluster / "postmaster.pid").read_text().split()[0])
            print("runs as", os.stat(f"/proc/{pid}").st_uid)
    except EmbeddedPostgresError as error:
        print(type(error).__name__, error)

asyncio.run(main())
"""
_DISK_BYTES = 112 * 1024 * 1024
_BALLAST_BYTES = 24 * 1024 * 1024


class Writer:
    """Writes one conversation's events, batch after batch, and remembers what was acknowledged."""

    def __init__(self, database: Database) -> None:
        self.journal = PostgresJournal(database)
        self.conversation_id = ConversationId(new_id())
        self.run_id = RunId(new_id())
        self.acknowledged = 0
        self.refusals: list[str] = []

    def batch(self, *, events: int = 5, payload: str = "{}") -> Batch:
        return Batch(
            events=[
                StoredEvent(
                    self.conversation_id, self.acknowledged + n, self.run_id, "CUSTOM", payload
                )
                for n in range(1, events + 1)
            ]
        )

    async def write(self, batch: Batch) -> None:
        """Write until it is acknowledged, as the journal does."""
        while True:
            try:
                await self.journal.write(batch)
            except Unavailable as refused:
                self.refusals.append(refused.code)
                await asyncio.sleep(0.02)
            else:
                self.acknowledged += len(batch.events)
                return

    async def stored(self, database: Database) -> list[int]:
        rows = await database.fetch(
            "SELECT seq FROM run_events WHERE conversation_id = $1 ORDER BY seq",
            self.conversation_id,
        )
        return [row["seq"] for row in rows]


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    made = new_data_dir()
    yield made
    remove_data_dir(made)


def processes_of(cluster: Path) -> list[int]:
    """Return every process of the server, found by where it works."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.path.samefile(entry / "cwd", cluster):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.fault
async def test_a_backend_that_cannot_notice_its_postmaster_died_does_not_keep_postgres_away(
    fresh_dir: Path,
) -> None:
    async with (
        EmbeddedPostgres(fresh_dir, least_free_bytes=0) as postgres,
        Database(postgres.connect_kwargs, patience_s=40) as database,
    ):
        postmaster = postmaster_pid(postgres.place.cluster)
        backend = await database.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        os.kill(postmaster, signal.SIGKILL)
        async with asyncio.timeout(40):
            assert await database.fetchval("SELECT 1") == 1
        assert postmaster_pid(postgres.place.cluster) != postmaster
        assert backend not in processes_of(postgres.place.cluster)


@pytest.mark.fault
@pytest.mark.timeout(120)
async def test_nothing_acknowledged_to_eight_writers_is_lost_however_postgres_dies(
    fresh_dir: Path,
) -> None:
    """The postmaster alone, one of its processes, or all of them at once."""
    async with (
        EmbeddedPostgres(fresh_dir, least_free_bytes=0) as postgres,
        Database(postgres.connect_kwargs, patience_s=30) as database,
    ):
        await upgrade(database)
        cluster = postgres.place.cluster
        writers = [Writer(database) for _ in range(8)]
        stop = asyncio.Event()

        async def work(writer: Writer) -> None:
            async with writer.journal:
                while not stop.is_set():
                    await writer.write(writer.batch())

        async def kill() -> None:
            for turn in range(6):
                before = [writer.acknowledged for writer in writers]
                while any(w.acknowledged < b + 10 for w, b in zip(writers, before, strict=True)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                postmaster = postmaster_pid(cluster)
                others = [pid for pid in processes_of(cluster) if pid != postmaster]
                for pid in ([postmaster], others[-1:], [postmaster, *others])[turn % 3]:
                    os.kill(pid, signal.SIGKILL)
            stop.set()

        await asyncio.gather(kill(), *map(work, writers))

        for writer in writers:
            stored = await writer.stored(database)
            assert stored == list(range(1, writer.acknowledged + 1))
        assert any(writer.refusals for writer in writers), "the kills hit nothing"


def run_as_nobody(interpreter: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    user = pwd.getpwnam("nobody")
    return subprocess.run(
        [interpreter, *arguments],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd=_ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def interpreter_of_nobody() -> str | None:
    """Return a Python with our packages that an ordinary user can run too."""
    for interpreter in (sys.executable, "/usr/bin/python3"):
        try:
            if run_as_nobody(interpreter, "-c", "import app.storage.embedded").returncode == 0:
                return interpreter
        except OSError:
            continue
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_runs_it_as_themselves(fresh_dir: Path) -> None:
    interpreter = interpreter_of_nobody()
    if interpreter is None:
        pytest.skip("an ordinary user cannot reach this checkout or any interpreter for it")
    nobody = pwd.getpwnam("nobody").pw_uid
    shutil.chown(fresh_dir, nobody)

    for data_dir in (fresh_dir / "new", fresh_dir / "new", fresh_dir):
        done = run_as_nobody(interpreter, "-c", _AS_USER, str(data_dir))
        assert done.stdout == f"runs as {nobody}\n", done.stderr

    remove_data_dir(fresh_dir / "new")
    fresh_dir.chmod(0o500)
    done = run_as_nobody(interpreter, "-c", _AS_USER, str(fresh_dir / "other"))
    assert done.stdout.startswith("NotWritable"), done.stderr
    assert "permission denied" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system that is soon full; only root may mount one."""
    where = new_data_dir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=0711", "tmpfs", str(where)],
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
    if not mounted:
        where.rmdir()
        pytest.skip("mounting a small file system is not allowed here")
    yield where
    remove_data_dir(where / "data")
    subprocess.run(["umount", "--lazy", str(where)], check=True)
    where.rmdir()


def fill(disk: Path) -> Path:
    """Leave not one byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


@pytest.mark.fault
@pytest.mark.timeout(120)
async def test_a_full_disk_is_told_refuses_starts_and_loses_nothing(small_disk: Path) -> None:
    data_dir = small_disk / "data"
    async with (
        EmbeddedPostgres(data_dir, least_free_bytes=1024 * 1024) as postgres,
        Database(
            postgres.connect_kwargs, patience_s=5, ensure_room=postgres.ensure_room
        ) as database,
    ):
        await upgrade(database)
        database.ensure_room()
        (postgres.place.base / "ballast").write_bytes(bytes(_BALLAST_BYTES))
        writer = Writer(database)
        await writer.write(writer.batch())
        filler = fill(small_disk)

        with pytest.raises(Unavailable) as nothing_new:
            database.ensure_room()
        assert nothing_new.value.code == "storage_full"
        codes = set()
        async with writer.journal:
            for _ in range(400):
                batch = writer.batch(events=50, payload="x" * 2_000)
                try:
                    await writer.journal.write(batch)
                except Unavailable as refused:
                    codes.add(refused.code)
                    break
                writer.acknowledged += len(batch.events)
        assert codes <= {"storage_full", "database_unavailable"}
        assert codes

    said: list[str] = []
    # The first start on the full disk is saved by the space that was kept for it ...
    async with (
        EmbeddedPostgres(data_dir, said.append, least_free_bytes=0, patience_s=30) as postgres,
        Database(postgres.connect_kwargs, patience_s=10) as database,
    ):
        stored = await writer.stored(database)
        assert stored[: writer.acknowledged] == list(range(1, writer.acknowledged + 1))
    assert "the disk is full: freed the space kept for this moment" in said
    assert not Server(postgres.place).is_alive()
    # ... and without it the start says what is wrong, and works once there is room.
    (postgres.place.base / "ballast").unlink(missing_ok=True)
    filler = fill(small_disk)
    with pytest.raises(DiskFull) as told:
        async with EmbeddedPostgres(data_dir, patience_s=30):
            pass
    assert "\n" not in str(told.value)
    assert not Server(postgres.place).is_alive()
    filler.unlink()
    async with (
        EmbeddedPostgres(data_dir, least_free_bytes=0) as postgres,
        Database(postgres.connect_kwargs) as database,
    ):
        stored = await writer.stored(database)
        assert stored[: writer.acknowledged] == list(range(1, writer.acknowledged + 1))
