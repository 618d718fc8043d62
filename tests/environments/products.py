"""Other products in environments of their own: install one, start its server, end it by its pid.

What is installed never enters the project's environment. Nothing here knows which product it is.
"""

import os
import signal
import site
import socket
import subprocess
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]

STARTS_WITHIN_S = 120.0
STOPS_WITHIN_S = 15.0
_MARK = "ready"


class Absent(Exception):
    """A product is not to be had here; the message says why."""


def is_installed(place: Path) -> bool:
    """Whether a folder has an environment that was made to its end."""
    return (place / _MARK).is_file()


def install(place: Path, packages: Sequence[str], *, lend: str = "") -> Path:
    """Return the folder of an environment's programs, after making it if need be.

    `lend` names a large module that is taken from here if it is here, instead of a second copy.

    Raises:
        Absent: it cannot be installed.
    """
    wanted = "\n".join(packages)
    mark = place / _MARK
    if not mark.is_file() or mark.read_text() not in ("", wanted):
        if not (place / "bin" / "python").exists():
            venv.create(place, with_pip=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            words = done.stderr.strip().splitlines()
            raise Absent(f"cannot be installed: {words[-1] if words else 'pip said nothing'}")
        if lent := lenders(lend):
            (_site_packages(place) / "lent.pth").write_text("\n".join(lent) + "\n")
        mark.write_text(wanted)
    return place / "bin"


def lenders(module: str) -> list[str]:
    """Return the folders of packages here that have a module."""
    return [path for path in site.getsitepackages() if module and (Path(path) / module).exists()]


def version_of(place: Path, distribution: str) -> str:
    """Return which version of a distribution an environment has."""
    script = f"from importlib.metadata import version; print(version({distribution!r}))"
    command = [str(place / "bin" / "python"), "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str, body: bytes | None = None, *, timeout_s: float = 5.0) -> bool:
    """Whether an address answers 200."""
    request = Request(url, body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def listens(port: int) -> bool:
    """Whether somebody listens on a TCP port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(
    command: Sequence[str],
    *,
    work: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    within_s: float = STARTS_WITHIN_S,
    stops_within_s: float = STOPS_WITHIN_S,
) -> Iterator[int]:
    """Run a server until the end of the block; gives its pid when it is ready.

    Its own programs come first in its PATH, and its output goes to `server.log` in its work folder.
    Its whole process tree has ended afterwards, whatever of it still ran.

    Raises:
        Absent: it does not become ready in time, or ends before.
    """
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    log = work / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=work,
            env={**os.environ, "PATH": path, **(environment or {})},
            start_new_session=True,
        )
    tree: list[psutil.Process] = []
    try:
        _wait(process, is_ready, log, within_s)
        tree = _tree(process.pid)
        yield process.pid
    finally:
        tree += _tree(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(stops_within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for one in tree:  # knows when a process began: never another one of the same number
            with suppress(psutil.NoSuchProcess):
                one.kill()


def end(pid: int) -> None:
    """End a server at once, with all that it started."""
    started_by_it = _tree(pid)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()
    for one in started_by_it:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _site_packages(place: Path) -> Path:
    return next((place / "lib").glob("python*/site-packages"))


def _wait(
    process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], log: Path, within_s: float
) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if is_ready():
            return
        time.sleep(0.25)
    words = log.read_text(errors="replace").strip().splitlines()
    raise Absent(f"does not answer: {words[-1][:200] if words else 'it said nothing'}")
