"""Start the peers of G10, each in an environment that is made for it and thrown away.

`OUTCRY_BENCH_PEERS` names a folder in which environments are kept instead (folder/litserve, ...).
A peer that cannot be installed or started here is reported as absent, with the reason.
"""

import json
import os
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]

from tests.benchmarks import cpu

HERE = Path(__file__).parent
STARTS_WITHIN_S = 120.0
CORE = 0
PACKAGES = {
    "litserve": ["litserve==0.2.19", "numpy"],
    "torchserve": ["torchserve==0.12.0", "torch-model-archiver", "numpy", "pyyaml"],
    "rayserve": ["ray[serve]==2.60.0", "numpy"],
}


class Absent(Exception):
    """A peer is not to be had here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """A running server."""

    port: int
    path: str
    pid: int

    def pids(self) -> list[int]:
        """Return its whole process tree."""
        return cpu.descendants(self.pid)


def environment(name: str, folder: Path) -> Path:
    """Return the folder of the peer's programs, installing it if need be.

    Raises:
        Absent: it cannot be installed.
    """
    kept = os.environ.get("OUTCRY_BENCH_PEERS")
    place = (Path(kept) if kept else folder) / name
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [str(place / "bin/pip"), "install", "-q", *PACKAGES[name]]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Absent(f"cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        # PyTorch, where it is needed, is the one that is installed here.
        packages = next((place / "lib").glob("python*/site-packages"))
        lent = [path for path in site.getsitepackages() if (Path(path) / "torch").exists()]
        (packages / "lent.pth").write_text("\n".join(lent) + "\n")
        (place / "ready").write_text("")
    return place / "bin"


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def litserve(bins: Path, weights: Path, port: int, *, batch: int, torch: bool) -> list[str]:
    """Return LitServe's command line."""
    more = ["--torch"] if torch else []
    script = str(HERE / "peer_litserve.py")
    return [
        *(str(bins / "python"), script, f"--port={port}", f"--weights={weights}"),
        *(f"--batch={batch}", *more),
    ]


def rayserve(bins: Path, weights: Path, port: int) -> list[str]:
    """Return Ray Serve's command line."""
    script = str(HERE / "peer_rayserve.py")
    return [str(bins / "python"), script, f"--port={port}", f"--weights={weights}"]


def torchserve(bins: Path, weights: Path, port: int, work: Path) -> list[str]:
    """Pack the model and return TorchServe's command line.

    Raises:
        Absent: there is no Java, or the model cannot be packed.
    """
    store = work / "store"
    store.mkdir(exist_ok=True)
    archive = [
        *(str(bins / "torch-model-archiver"), "--model-name=net", "--version=1.0", "--force"),
        f"--handler={HERE / 'peer_torchserve.py'}",
        *(f"--extra-files={weights}", f"--export-path={store}"),
    ]
    done = subprocess.run(archive, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"cannot pack the model: {done.stderr.strip()[-200:]}")
    model = {
        "1.0": {
            "defaultVersion": True,
            "marName": "net.mar",
            "minWorkers": 1,
            "maxWorkers": 1,
            "batchSize": 64,
            "maxBatchDelay": 2,
            "responseTimeout": 60,
        }
    }
    config = work / "config.properties"
    config.write_text(
        f"inference_address=http://127.0.0.1:{port}\n"
        f"management_address=http://127.0.0.1:{free_port()}\n"
        f"metrics_address=http://127.0.0.1:{free_port()}\n"
        f"grpc_inference_port={free_port()}\ngrpc_management_port={free_port()}\n"
        f"model_store={store}\nload_models=net.mar\ndisable_token_authorization=true\n"
        f"disable_system_metrics=true\nmodels={json.dumps({'net': model})}\n"
    )
    return [
        *(str(bins / "torchserve"), "--start", "--foreground", "--disable-token-auth", "--ncs"),
        *(f"--ts-config={config}", f"--model-store={store}"),
    ]


@contextmanager
def running(command: list[str], port: int, path: str, body: bytes, work: Path) -> Iterator[Peer]:
    """Run a peer until it answers; end its whole process tree afterwards.

    Raises:
        Absent: it does not answer within two minutes.
    """
    programs = {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    log = work / "peer.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=work,
            env={**os.environ, **programs, "RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,
        )
    tree = []
    try:
        _wait(process, port, path, body, log)
        tree = _tree(process.pid)
        cpu.pin(cpu.descendants(process.pid), CORE)
        yield Peer(port, path, process.pid)
    finally:
        tree += _tree(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for one in tree:  # knows when a process began: never another one of the same number
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _wait(process: "subprocess.Popen[bytes]", port: int, path: str, body: bytes, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    request = Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.5)
    words = log.read_text(errors="replace").strip().splitlines()
    raise Absent(f"does not answer: {words[-1][:200] if words else 'it said nothing'}")
