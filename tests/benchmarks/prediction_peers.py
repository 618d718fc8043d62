"""Start the peers of G10, each in an environment that is made for it and thrown away.

`OUTCRY_BENCH_PEERS` names a folder in which environments are kept instead (folder/litserve, ...).
A peer that cannot be installed or started here is reported as absent, with the reason.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import cpu
from tests.environments.products import Absent, answers, free_port, install, started

__all__ = ["Absent", "Peer", "environment", "free_port", "litserve", "rayserve", "running"]

HERE = Path(__file__).parent
CORE = 0
PACKAGES = {
    "litserve": ["litserve==0.2.19", "numpy"],
    "torchserve": ["torchserve==0.12.0", "torch-model-archiver", "numpy", "pyyaml"],
    "rayserve": ["ray[serve]==2.60.0", "numpy"],
}


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

    PyTorch, where it is needed, is the one that is installed here.

    Raises:
        Absent: it cannot be installed.
    """
    kept = os.environ.get("OUTCRY_BENCH_PEERS")
    return install((Path(kept) if kept else folder) / name, PACKAGES[name], lend="torch")


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

    def is_ready() -> bool:
        return answers(f"http://127.0.0.1:{port}{path}", body)

    ray = {"RAY_USAGE_STATS_ENABLED": "0"}
    with started(command, work=work, is_ready=is_ready, environment=ray) as pid:
        cpu.pin(cpu.descendants(pid), CORE)
        yield Peer(port, path, pid)
