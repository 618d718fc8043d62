"""Data directories for tests that start a Postgres of their own, and harm it."""

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from app.storage.locks import is_held


def new_data_dir() -> Path:
    """Make a data directory that an unprivileged user can reach too."""
    made = Path(tempfile.mkdtemp(prefix="outcry-tests-"))
    made.chmod(0o711)
    return made


def remove_data_dir(data_dir: Path) -> None:
    """Remove a cluster with whatever a failed test left running and what lies elsewhere."""
    control = data_dir / "postgres"
    base = _recorded(control / "location") or control
    if control.exists() and is_held(control / "postmaster.lock"):
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = postmaster_pid(base / "cluster")
            if os.path.samefile(f"/proc/{pid}/cwd", base / "cluster"):
                os.kill(pid, signal.SIGQUIT)
    for directory in (base, _recorded(control / "socket-directory"), data_dir):
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def postmaster_pid(cluster: Path) -> int:
    return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])


def _recorded(file: Path) -> Path | None:
    return Path(file.read_text().strip()) if file.exists() else None
