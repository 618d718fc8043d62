"""One Postgres server: make its cluster, launch it detached, read its last words, watch, stop.

Whether it lives is told by `postmaster.lock`, which every process of the server inherits and so
holds exactly as long as one of them lives, whoever started it and whatever its pid file says.
"""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import structlog

from app.storage import embedded_place as places
from app.storage.embedded_place import Place
from app.storage.errors import (
    DiskFull,
    EmbeddedPostgresError,
    NotWritable,
    StartFailed,
    WrongVersion,
)
from app.storage.locks import is_held, open_lock, try_lock, until_free

log = structlog.get_logger(__name__)

SUPERUSER = "postgres"
PORT = 5432
"""Only a part of the socket's name: there is no TCP."""
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
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
_STOP_S = 60.0
_LOOKS = 50
_ROOM_TO_START = 32 * 1024 * 1024


class Server:
    """The server of one place. Who may start or stop it, and when, is for `embedded.py` to tell."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = place.control / "postmaster.lock"

    def is_alive(self) -> bool:
        """Tell whether any process of the server lives, well or not."""
        return is_held(self._lock)

    # --- starting -----------------------------------------------------------------------------

    def create_cluster(self) -> None:
        """Run initdb beside the final place, so that a crash leaves all of it or nothing."""
        place = self._place
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
                    f"--username={SUPERUSER}",
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

    def launch(self, socket_directory: Path) -> int:
        """Start the server detached from us; return where its part of the log begins."""
        place = self._place
        log_from = self._open_log()
        lock = open_lock(self._lock)
        try:
            if not _take(lock):
                return log_from
            # No process of the old server lives, so what it wrote its pid into is only in the way:
            # that pid may by now be another program, or a zombie that nobody reaps.
            if not self._pid_is_postmaster():
                (place.cluster / "postmaster.pid").unlink(missing_ok=True)
                (socket_directory / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            arguments = [str(place.binaries / "postgres"), "-D", str(place.cluster)]
            settings = {**_SETTINGS, "unix_socket_directories": str(socket_directory)}
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
        path = self._place.log
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return 0
        if size < _LARGEST_LOG:
            return size
        path.rename(path.with_suffix(".old"))
        return 0

    def diagnosis(self, log_from: int) -> EmbeddedPostgresError:
        """Return why the server that was launched last is gone, in the words of its log."""
        with self._place.log.open("rb") as file:
            file.seek(log_from)
            error = self._worded(file.read().decode(errors="replace"))
        free = shutil.disk_usage(self._place.base).free
        if isinstance(error, StartFailed) and free < _ROOM_TO_START:
            # Its last words found no room either.
            return self._worded(os.strerror(errno.ENOSPC))
        return error

    def _worded(self, said: str) -> EmbeddedPostgresError:
        """Turn what Postgres said into the one line a person needs."""
        place = self._place
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

    # --- watching and stopping ----------------------------------------------------------------

    async def gone(self) -> None:
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
        elif self._at_work():
            # Its processes outlived it, or somebody took its pid file away: either way, look again.
            await asyncio.sleep(0.25)
            return
        # Not on Linux, or the server lives in another container: its lock tells.
        await until_free(self._lock, poll_s=0.25)

    def end_orphans(self) -> int:
        """End what is left of a server whose postmaster is dead; return how many that were.

        They notice by themselves within moments, unless one is stopped or waits for another that
        is gone. Until the last has left, no new server may use the memory they share.
        """
        if self._pid_is_postmaster():
            return 0
        ended = 0
        for pid in self._at_work():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            ended += 1
            _reap(pid)
        if ended:
            log.warning("postgres.orphans_ended", count=ended)
        return ended

    def _at_work(self) -> list[int]:
        """Return the processes at work in our cluster, as far as they can be seen from here."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.path.samefile(entry / "cwd", self._place.cluster):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _pid(self) -> int | None:
        try:
            return int((self._place.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _pid_is_postmaster(self) -> bool:
        """Tell whether the pid in the pid file is a live process at work in our cluster."""
        pid = self._pid()
        if pid is None:
            return False
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", self._place.cluster)
        except OSError:
            return False

    async def stop(self) -> None:
        """Stop the server: a fast shutdown with a checkpoint, an abrupt one if that hangs."""
        for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            pid = self._pid()
            if pid is None or not self.is_alive():
                return
            try:
                os.kill(pid, step)
            except ProcessLookupError:
                return
            try:
                async with asyncio.timeout(_STOP_S):
                    await until_free(self._lock, poll_s=0.01)
            except TimeoutError:
                log.warning("postgres.does_not_stop", signal=step.name)
            else:
                _reap(pid)
                return


def _environment() -> dict[str, str]:
    """Return an environment in which no PG* variable of the user can change what is started."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _take(lock: int) -> bool:
    """Take the lock, past anyone who only looks whether it is held."""
    for _ in range(_LOOKS):
        if try_lock(lock):
            return True
        time.sleep(0.01)
    return False


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
