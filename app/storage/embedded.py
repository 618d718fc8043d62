"""Our own Postgres: make a cluster, start it, share it between processes, keep it alive.

Several processes may enter the same data directory at once; the last one out stops Postgres. Who
is there is told by file locks, which a crash releases:

- `users.lock`, shared: held by every process that uses the cluster.
- `start.lock`, exclusive: held while somebody decides to start or stop it.
- `postmaster.lock`, exclusive: inherited by the server, so it is held exactly as long as any
  process of that server lives, whoever started it and whatever its pid file says.

Whether Postgres is well is asked by a query, never by a pid.
"""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

import asyncpg
import structlog

from app.domain.errors import Unavailable
from app.storage import embedded_place as places
from app.storage.embedded_place import Place
from app.storage.errors import (
    DiskFull,
    EmbeddedPostgresError,
    NotWritable,
    StartFailed,
    WrongVersion,
)
from app.storage.locks import exclusive, is_held, open_lock, try_lock, until_free

log = structlog.get_logger(__name__)

_ROLE = "outcry"
_SUPERUSER = "postgres"
_PORT = 5432
"""Only a part of the socket's name: there is no TCP."""
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "wal_compression": "pglz",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}
_LARGEST_LOG = 16 * 1024 * 1024
_LEAST_FREE_BYTES = 512 * 1024 * 1024
_STOP_S = 60.0

Health = Literal["ready", "starting", "down"]


class EmbeddedPostgres:
    """Postgres from the wheel's binaries, as an async context manager."""

    def __init__(
        self,
        data_dir: Path,
        on_progress: Callable[[str], None] = lambda _: None,
        *,
        patience_s: float = 300.0,
        least_free_bytes: int = _LEAST_FREE_BYTES,
    ) -> None:
        self._data_dir = data_dir
        self._on_progress = on_progress
        self._patience_s = patience_s
        self._least_free_bytes = least_free_bytes
        self._place: Place | None = None
        self._socket_dir: Path | None = None
        self._password = ""
        self._users: int | None = None
        self._supervisor: asyncio.Task[None] | None = None

    # --- for its users ------------------------------------------------------------------------

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Return the arguments of `asyncpg.connect` for the application's role and database."""
        return self._kwargs(_ROLE, self._password, _ROLE)

    @property
    def dsn(self) -> str:
        """Return the same as a URL; it holds the password."""
        host = quote(str(self._socket_dir), safe="")
        return f"postgresql://{_ROLE}:{quote(self._password)}@/{_ROLE}?host={host}&port={_PORT}"

    @property
    def place(self) -> Place:
        """Return where the cluster lives."""
        if self._place is None:
            raise RuntimeError("EmbeddedPostgres is not entered")
        return self._place

    def ensure_room(self) -> None:
        """Refuse new work while there is still room to finish what was begun.

        Raises:
            Unavailable: `storage_full`.
        """
        free = shutil.disk_usage(self.place.base).free
        if free < self._least_free_bytes:
            raise Unavailable(
                f"The disk is nearly full ({free // 2**20} MiB are free,"
                f" {self._least_free_bytes // 2**20} are needed), so nothing new is begun.",
                code="storage_full",
                retry_after_s=30,
            )

    async def create_database(self, name: str) -> None:
        """Create a further database of the application's role, if there is none of that name."""
        connection = await asyncpg.connect(**self._superuser_kwargs())
        try:
            found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
            if not found:
                await connection.execute(f'CREATE DATABASE "{name}" OWNER {_ROLE}')
        finally:
            await connection.close()

    async def __aenter__(self) -> "EmbeddedPostgres":
        place = await asyncio.to_thread(places.find_place, self._data_dir, self._on_progress)
        self._place = place
        try:
            await self._enter(place)
        except TimeoutError as error:
            self._leave_users()
            raise StartFailed(
                f"Another process has been starting or stopping the database in {place.control}"
                f" for {self._patience_s:.0f} s"
            ) from error
        except OSError as error:
            self._leave_users()
            raise places.unwritable(error, place.control) from error
        except BaseException:
            self._leave_users()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="embedded postgres")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        try:
            async with self._deciding():
                if self._users is not None and try_lock(self._users):
                    await self._stop()
        finally:
            self._leave_users()

    # --- starting -----------------------------------------------------------------------------

    async def _enter(self, place: Place) -> None:
        async with self._deciding():
            self._users = open_lock(place.control / "users.lock")
            try_lock(self._users, shared=True)
            self._password = places.password(place, "password")
            self._socket_dir = places.socket_directory(place)
            await self._ensure_running()
            places.lay_ballast(place)

    def _deciding(self) -> Any:
        def tell() -> None:
            self._on_progress("waiting for another process that starts or stops the database")

        return exclusive(
            self.place.control / "start.lock", timeout_s=self._patience_s, on_wait=tell
        )

    def _leave_users(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    async def _ensure_running(self) -> None:
        """Return once a query succeeds; starts the server if no process of one is alive."""
        place = self.place
        if not (place.cluster / "PG_VERSION").exists():
            self._on_progress("creating the database")
            await asyncio.to_thread(self._create_cluster)
        waited = _Patience(self._patience_s, self._on_progress)
        launched = False
        log_from = 0
        while True:
            health = await self._health()
            if health == "ready":
                return
            if health == "down" and not is_held(place.control / "postmaster.lock"):
                if launched:
                    error = await asyncio.to_thread(self._diagnose, log_from)
                    if not (isinstance(error, DiskFull) and places.drop_ballast(place)):
                        raise error
                    self._on_progress("the disk is full: freed the space kept for this moment")
                log_from = await asyncio.to_thread(self._launch)
                launched = True
            await waited.a_little(health)

    async def _health(self) -> Health:
        """Ask the server, through the socket, as the application does."""
        try:
            connection = await asyncpg.connect(**self.connect_kwargs, timeout=5)
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
            await self._make_role_and_database()
            return "starting"
        except asyncpg.CannotConnectNowError:
            return "starting"
        except (OSError, TimeoutError, asyncpg.PostgresConnectionError):
            return "down"
        except asyncpg.TooManyConnectionsError:
            return "ready"
        try:
            await connection.execute("SELECT 1", timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return "down"
        finally:
            connection.terminate()
        return "ready"

    async def _make_role_and_database(self) -> None:
        try:
            connection = await asyncpg.connect(**self._superuser_kwargs(), timeout=5)
        except asyncpg.InvalidPasswordError as error:
            raise StartFailed(
                f"The passwords in {self.place.control} do not fit this cluster: restore the files"
                " 'password' and 'superuser-password' from a backup"
            ) from error
        try:
            known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", _ROLE)
            verb = "ALTER" if known else "CREATE"
            # The password is URL-safe base64: nothing in it needs quoting.
            await connection.execute(
                f"{verb} ROLE {_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
                f" PASSWORD '{self._password}'"
            )
        finally:
            await connection.close()
        await self.create_database(_ROLE)

    def _create_cluster(self) -> None:
        """Run initdb beside the final place, so that a crash leaves all of it or nothing."""
        place = self.place
        fresh = place.base / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        place.private_directory(fresh)
        # The password travels in a file that initdb's user can read, and is gone right after.
        password_file = fresh.with_suffix(".pw")
        password_file.unlink(missing_ok=True)
        descriptor = os.open(password_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(places.password(place, "superuser-password") + "\n")
                if place.uid is not None and place.gid is not None:
                    os.fchown(file.fileno(), place.uid, place.gid)
            done = subprocess.run(
                [
                    str(place.binaries / "initdb"),
                    f"--pgdata={fresh}",
                    f"--username={_SUPERUSER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env=_environment(),
                **place.as_user(),
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise self._worded(done.stderr)
        fresh.rename(place.cluster)

    def _launch(self) -> int:
        """Start the server detached from us; return where its part of the log begins."""
        place = self.place
        log_from = self._open_log()
        lock = open_lock(place.control / "postmaster.lock")
        try:
            if not try_lock(lock):
                return log_from
            # No process of the old server lives, so its pid file is only in the way: its pid may
            # by now be another program, or a zombie that nobody reaps.
            if not self._pid_is_postmaster():
                (place.cluster / "postmaster.pid").unlink(missing_ok=True)
            arguments = [str(place.binaries / "postgres"), "-D", str(place.cluster)]
            settings = {**_SETTINGS, "unix_socket_directories": str(self._socket_dir)}
            for name, value in settings.items():
                arguments += ["-c", f"{name}={value}"]
            with open(place.log, "ab", opener=_private) as log_file:
                # The shell leaves at once, so the server is nobody's child here: no zombie, no
                # signal from our terminal, and it outlives us if we are killed.
                subprocess.run(
                    ["/bin/sh", "-c", 'exec 1>&2; "$@" </dev/null &', "sh", *arguments],
                    stdin=subprocess.DEVNULL,
                    stderr=log_file,
                    pass_fds=(lock,),
                    start_new_session=True,
                    check=True,
                    cwd="/",
                    env=_environment(),
                    **place.as_user(),
                )
        finally:
            os.close(lock)
        return log_from

    def _open_log(self) -> int:
        path = self.place.log
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return 0
        if size < _LARGEST_LOG:
            return size
        path.rename(path.with_suffix(".old"))
        return 0

    def _diagnose(self, log_from: int) -> EmbeddedPostgresError:
        with self.place.log.open("rb") as file:
            file.seek(log_from)
            return self._worded(file.read().decode(errors="replace"))

    def _worded(self, said: str) -> EmbeddedPostgresError:
        """Turn what Postgres said into the one line a person needs."""
        place = self.place
        if os.strerror(errno.ENOSPC) in said or os.strerror(errno.EDQUOT) in said:
            return DiskFull(
                f"The disk is full: Postgres cannot start in {place.cluster}. Free some space;"
                " nothing that was stored is lost"
            )
        if "not compatible with this version" in said:
            made_by = (place.cluster / "PG_VERSION").read_text().strip()
            return WrongVersion(
                f"{place.cluster} was made by Postgres {made_by}, which these binaries cannot read:"
                f" use the Outcry release that made it, or another DATA_DIR"
            )
        for code in (errno.EROFS, errno.EACCES, errno.EPERM):
            if os.strerror(code) in said:
                return NotWritable(
                    f"Postgres cannot write {place.cluster}: {os.strerror(code).lower()}. Make it"
                    " writable for the user that owns it, or choose another DATA_DIR"
                )
        # Our own questions leave "the database system is starting up" in the log.
        lines = [line for line in said.splitlines() if line and "database system is" not in line]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
        last = (fatal or lines or ["it said nothing"])[-1]
        return StartFailed(f"Postgres did not start: {last.strip()} (log: {place.log})")

    # --- keeping it alive ---------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start the server again whenever it dies while we use it."""
        pause_s = 0.1
        while True:
            await self._gone()
            log.warning("postgres.died", place=str(self.place.base))
            self._on_progress("the database stopped; starting it again")
            try:
                async with self._deciding():
                    await self._ensure_running()
            except (
                EmbeddedPostgresError,
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
            ) as error:
                log.error("postgres.not_started", error=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
            else:
                pause_s = 0.1
                log.info("postgres.started_again")

    async def _gone(self) -> None:
        """Return when the postmaster is no more."""
        pid = self._pid()
        if pid is not None and self._pid_is_postmaster():
            try:
                watched = os.pidfd_open(pid)
            except (AttributeError, OSError):
                pass
            else:
                try:
                    await _readable(watched)
                finally:
                    os.close(watched)
                _reap(pid)
                return
        # Not on Linux, or the server lives in another container: its lock tells.
        await until_free(self.place.control / "postmaster.lock", poll_s=0.25)

    def _pid(self) -> int | None:
        try:
            return int((self.place.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _pid_is_postmaster(self) -> bool:
        """Tell whether the pid in the pid file is a live process at work in our cluster."""
        pid = self._pid()
        if pid is None:
            return False
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", self.place.cluster)
        except OSError:
            return False

    # --- stopping -----------------------------------------------------------------------------

    async def _stop(self) -> None:
        """Stop the server: a fast shutdown with a checkpoint, an abrupt one if that hangs."""
        lock = self.place.control / "postmaster.lock"
        for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            pid = self._pid()
            if pid is None or not is_held(lock):
                return
            try:
                os.kill(pid, step)
            except ProcessLookupError:
                return
            try:
                async with asyncio.timeout(_STOP_S):
                    await until_free(lock, poll_s=0.01)
            except TimeoutError:
                log.warning("postgres.does_not_stop", signal=step.name)
            else:
                _reap(pid)
                return

    def _kwargs(self, user: str, password: str, database: str) -> dict[str, Any]:
        return {
            "host": str(self._socket_dir),
            "port": _PORT,
            "user": user,
            "password": password,
            "database": database,
        }

    def _superuser_kwargs(self) -> dict[str, Any]:
        password = places.password(self.place, "superuser-password")
        return self._kwargs(_SUPERUSER, password, "postgres")


class _Patience:
    """Waits in growing steps up to a limit, and says every few seconds that it still waits."""

    def __init__(self, limit_s: float, on_progress: Callable[[str], None]) -> None:
        self._began = asyncio.get_running_loop().time()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._step_s = 0.01
        self._next_word_s = 3.0

    async def a_little(self, health: Health) -> None:
        waited_s = asyncio.get_running_loop().time() - self._began
        if waited_s > self._limit_s:
            raise StartFailed(f"Postgres did not become ready within {self._limit_s:.0f} s")
        if waited_s > self._next_word_s:
            what = "recovering" if health == "starting" else "starting"
            self._on_progress(f"the database is {what} ({waited_s:.0f} s)")
            self._next_word_s += 3.0
        await asyncio.sleep(self._step_s)
        self._step_s = min(self._step_s * 1.3, 0.2)


def _environment() -> dict[str, str]:
    """Return an environment in which no PG* variable of the user can change what is started."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)


def _reap(pid: int) -> None:
    """Collect the server's exit where we are the init process that inherited it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
