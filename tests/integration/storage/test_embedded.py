"""The embedded Postgres, started, shared, killed and broken in directories of these tests' own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import Any

import asyncpg
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.embedded_place import find_place
from app.storage.embedded_server import Server
from app.storage.engine import Database
from app.storage.errors import NotWritable, StartFailed, WrongVersion
from tests.integration.storage.clusters import new_data_dir, postmaster_pid, remove_data_dir

_ROOT = Path(__file__).resolve().parents[3]
_ANOTHER = """
import asyncio, sys
from pathlib import Path
from app.storage.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1]), least_free_bytes=0):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend a user")


def entered(data_dir: Path, *args: Any) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, *args, least_free_bytes=0, patience_s=40)


def pid_of(postgres: EmbeddedPostgres) -> int:
    return postmaster_pid(postgres.place.cluster)


def socket_directory(postgres: EmbeddedPostgres) -> Path:
    return Path(postgres.connect_kwargs["host"])


def mode(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


async def ask(postgres: EmbeddedPostgres, sql: str) -> Any:
    connection = await asyncpg.connect(**postgres.connect_kwargs)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def another_process(data_dir: Path) -> AsyncIterator[Process]:
    """A process that has entered the data directory, and leaves it when it is sent a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ANOTHER, str(data_dir), stdin=PIPE, stdout=PIPE, cwd=_ROOT
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One cluster for all tests of this file that leave it whole; each starts it itself."""
    made = new_data_dir()
    yield made
    remove_data_dir(made)


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    made = new_data_dir()
    yield made
    remove_data_dir(made)


async def test_two_that_start_first_make_one_cluster_which_a_second_start_finds(
    fresh_dir: Path,
) -> None:
    """On a path too long for a socket, after an initdb that was cut short."""
    data_dir = fresh_dir / ("long" * 20)
    unfinished = data_dir / "postgres" / "cluster.new" / "base"
    unfinished.mkdir(parents=True)
    for directory in (data_dir, data_dir / "postgres"):
        directory.chmod(0o711)
    said: list[str] = []
    one, two = entered(data_dir, said.append), entered(data_dir, said.append)
    try:
        await asyncio.gather(one.__aenter__(), two.__aenter__())
        assert said.count("creating the database") == 1
        assert one.connect_kwargs == two.connect_kwargs
        await ask(one, "CREATE TABLE kept AS SELECT 7 AS answer")
        assert await ask(two, "SELECT answer FROM kept") == 7
        assert mode(socket_directory(one)) == 0o700
        await one.__aexit__(None, None, None)
        assert await ask(two, "SELECT answer FROM kept") == 7
        await two.__aexit__(None, None, None)
        assert not Server(two.place).is_alive()
        assert not unfinished.exists()
        said.clear()

        async with entered(data_dir, said.append) as again:
            assert await ask(again, "SELECT answer FROM kept") == 7
            assert again.dsn.startswith("postgresql://outcry:")
        assert "creating the database" not in said
    finally:
        remove_data_dir(data_dir)


async def test_nothing_of_it_is_open_to_others(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        control = postgres.place.control
        for secret in ("password", "superuser-password"):
            assert mode(control / secret) == 0o600
        assert mode(postgres.place.log) == 0o600
        assert mode(postgres.place.cluster) == 0o700
        assert mode(socket_directory(postgres)) == 0o700
        assert mode(socket_directory(postgres) / ".s.PGSQL.5432") == 0o700
        assert not listening_on_tcp(pid_of(postgres))

        for wrong in ({"password": "guess"}, {"user": "postgres", "database": "postgres"}):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(**{**postgres.connect_kwargs, **wrong})


async def test_the_application_is_no_superuser(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        may = await ask(
            postgres,
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user",
        )
        assert may is False
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(postgres, "SELECT pg_read_file('/etc/hostname')")


@needs_root
async def test_root_lends_it_an_unprivileged_user(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        uid = os.stat(f"/proc/{pid_of(postgres)}").st_uid
        assert uid == postgres.place.uid != 0
        assert postgres.place.cluster.stat().st_uid == uid
        # What it may read is not what root may: its own superuser's password, for one.
        assert (postgres.place.control / "superuser-password").stat().st_uid == 0


@needs_root
def test_a_directory_which_that_user_cannot_reach_keeps_its_cluster_elsewhere(
    fresh_dir: Path,
) -> None:
    hidden, shared = fresh_dir / "hidden", fresh_dir / "shared"
    hidden.mkdir(mode=0o700)
    said: list[str] = []

    place = find_place(hidden / "data", said.append, shared_place=shared)

    assert place.base.parent == shared
    assert str(place.base) in said[0]
    assert (place.control / "location").read_text().strip() == str(place.base)
    assert find_place(hidden / "data", said.append, shared_place=shared) == place
    assert len(said) == 1


async def test_the_last_process_to_leave_stops_it(data_dir: Path) -> None:
    async with another_process(data_dir) as other:
        async with entered(data_dir) as postgres:
            server, pid = Server(postgres.place), pid_of(postgres)
            assert await ask(postgres, "SELECT 1") == 1
        # We have left, the other has not.
        assert server.is_alive()
        assert pid_of(postgres) == pid

        await other.communicate(b"leave\n")

        assert other.returncode == 0
        assert not server.is_alive()


async def test_the_first_process_to_leave_takes_it_from_nobody(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        async with another_process(data_dir) as other:
            await other.communicate(b"leave\n")
            assert other.returncode == 0
        assert await ask(postgres, "SELECT 1") == 1
    assert not Server(postgres.place).is_alive()


async def test_an_orphan_of_a_killed_process_is_taken_over(data_dir: Path) -> None:
    async with another_process(data_dir) as other:
        other.kill()
        await other.wait()
        said: list[str] = []

        async with entered(data_dir, said.append) as postgres:
            server = Server(postgres.place)
            started = await ask(postgres, "SELECT pg_postmaster_start_time()")
            async with entered(data_dir) as again:
                assert await ask(again, "SELECT pg_postmaster_start_time()") == started
    assert said == []
    assert not server.is_alive()


async def test_an_orphan_is_not_started_a_second_time(data_dir: Path) -> None:
    async with another_process(data_dir) as other:
        place = find_place(data_dir, lambda _: None)
        pid = postmaster_pid(place.cluster)
        other.kill()
        await other.wait()
        async with entered(data_dir) as postgres:
            assert pid_of(postgres) == pid


async def test_a_killed_server_is_started_again_with_all_that_was_committed(
    data_dir: Path,
) -> None:
    died = asyncio.Event()

    def hear(said: str) -> None:
        if said == "the database stopped; starting it again":
            died.set()

    async with (
        entered(data_dir, hear) as postgres,
        Database(postgres.connect_kwargs, patience_s=40) as database,
    ):
        await database.execute("CREATE TABLE IF NOT EXISTS committed AS SELECT 7 AS answer")
        for _ in range(2):
            pid = pid_of(postgres)
            started = await database.fetchval("SELECT pg_postmaster_start_time()")
            os.kill(pid, signal.SIGKILL)
            await died.wait()
            died.clear()
            async with asyncio.timeout(40):
                # A backend may answer once more before it notices that its postmaster is dead;
                # nothing in this process hears when the next one answers, so ask again.
                while await database.fetchval("SELECT pg_postmaster_start_time()") == started:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert await database.fetchval("SELECT answer FROM committed") == 7
            assert pid_of(postgres) != pid
    assert not Server(postgres.place).is_alive()


async def test_a_cluster_of_another_version_is_named_and_left_alone(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        version = postgres.place.cluster / "PG_VERSION"
    ours = version.read_text()
    version.write_text("13\n")
    try:
        with pytest.raises(WrongVersion, match="made by Postgres 13"):
            async with entered(data_dir):
                pass
    finally:
        version.write_text(ours)
    async with entered(data_dir) as postgres:
        assert await ask(postgres, "SELECT 1") == 1


async def test_a_cluster_that_cannot_be_written_says_so_in_one_line(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        cluster = postgres.place.cluster
    cluster.chmod(0o500)
    try:
        with pytest.raises(NotWritable) as refused:
            async with entered(data_dir):
                pass
    finally:
        cluster.chmod(0o700)
    assert str(cluster) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not Server(postgres.place).is_alive()


async def test_a_data_directory_that_cannot_be_made_says_so_in_one_line(fresh_dir: Path) -> None:
    file = fresh_dir / "file"
    file.touch()
    with pytest.raises(NotWritable, match="Set DATA_DIR to a writable directory"):
        async with entered(file / "data"):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_read_only_data_directory_says_so_in_one_line(fresh_dir: Path) -> None:
    os.chmod(fresh_dir, 0o500)
    with pytest.raises(NotWritable, match="permission denied"):
        async with entered(fresh_dir):
            pass


async def test_passwords_that_do_not_fit_the_cluster_are_named(data_dir: Path) -> None:
    async with entered(data_dir) as postgres:
        control = postgres.place.control
    kept = {name: (control / name).read_text() for name in ("password", "superuser-password")}
    for name in kept:
        (control / name).write_text("another\n")
    try:
        with pytest.raises(StartFailed, match="restore the files"):
            async with entered(data_dir):
                pass
        for name, text in kept.items():
            (control / name).write_text(text)
        # What the failed start had launched is used, and stopped by who leaves last.
        async with entered(data_dir) as postgres:
            assert await ask(postgres, "SELECT 1") == 1
    finally:
        for name, text in kept.items():
            (control / name).write_text(text)
    assert not Server(postgres.place).is_alive()


def listening_on_tcp(pid: int) -> set[str]:
    """Return the inodes of the process's sockets that listen on TCP."""
    listening = set()
    for family in ("tcp", "tcp6"):
        table = Path(f"/proc/{pid}/net/{family}")
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        listening |= {fields[9] for fields in map(str.split, lines) if fields[3] == "0A"}
    own = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert any(name.startswith("socket:") for name in own)
    return {inode for inode in listening if f"socket:[{inode}]" in own}
