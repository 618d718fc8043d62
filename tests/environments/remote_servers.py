"""Real inference servers, each in an environment of its own, with the small models of `servers/`.

    python -m tests.environments.remote_servers build [NAME ...]     makes the environments
    python -m tests.environments.remote_servers serve NAME           runs one until Ctrl-C
    python -m tests.environments.remote_servers test [NAME ...]      builds what lacks, and tests
    python -m tests.environments.remote_servers record [NAME ...]    records their answers anew

The environments are kept in `.environments/remote-servers`, or where `OUTCRY_REMOTE_SERVERS` says.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.environments.products import (
    Absent,
    answers,
    free_port,
    install,
    is_installed,
    lenders,
    listens,
    started,
    version_of,
)

ROOT = Path(__file__).resolve().parents[2]
SERVERS = Path(__file__).resolve().parent / "servers"
FOLDER = "OUTCRY_REMOTE_SERVERS"
DEFAULT = ROOT / ".environments" / "remote-servers"
TESTS = ("tests/frameworks/test_remote_servers.py", "tests/frameworks/test_grpc_servers.py")
TORCH = ("torch==2.13.0+cpu", "torch>=2.8,<3")
"""For the CPU where there is such a build; others bring gigabytes of CUDA."""


@dataclass(frozen=True)
class Product:
    """A server that packages can start here."""

    name: str
    packages: tuple[str, ...]
    """The first is asked for its version."""
    ready: str
    """Path that answers 200 when the server is up; "" where it listens for gRPC alone."""
    protocols: tuple[str, ...]
    """Schemes of `deploymentUrl` that it speaks over HTTP, without the "+http"."""
    grpc: bool = True
    """Whether it listens on a gRPC port too."""
    lend: str = ""
    """A large module that may come from the environment that this is run by."""


PRODUCTS = {
    one.name: one
    for one in (
        Product(
            "mlserver",
            # The wheels of MLServer know neither a later FastAPI nor a later NumPy.
            ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
            "/v2/health/live",
            ("oip",),
        ),
        Product("kserve", ("kserve==0.21.0",), "/v2/health/live", ("oip", "tfs")),
        Product("triton", ("nvidia-pytriton==0.7.0",), "/v2/health/live", ("oip",)),
        Product(
            "torchserve",
            ("torchserve==0.12.0", "torch-model-archiver==0.12.0", "numpy", "pyyaml"),
            "/ping",
            ("torchserve",),
            lend="torch",
        ),
        Product(
            "rayserve",
            ("ray[serve]==2.60.0", "numpy"),
            "/few/v2/models/sum/ready",  # what it starts last
            ("ray", "oip"),
            grpc=False,
        ),
        Product(
            "pythie",
            # TensorFlow Serving's PredictionService; it reads models of this scikit-learn.
            ("pythie-serving==3.4.3", "scikit-learn==1.2.2", "cloudpickle==2.1.0"),
            "",
            (),
        ),
    )
}


@dataclass(frozen=True)
class Serving:
    """A running server."""

    product: Product
    port: int
    grpc_port: int | None
    pid: int

    def url(self, protocol: str, model: str) -> str:
        """Return the `deploymentUrl` of a model; a version may follow its name as a path."""
        if protocol.endswith("+grpc"):
            return f"{protocol}://127.0.0.1:{self.grpc_port}/{model}"
        return f"{protocol}+http://127.0.0.1:{self.port}/{model}"


def folder() -> Path:
    """Return where the environments are."""
    return Path(os.environ.get(FOLDER, DEFAULT))


def place(product: Product) -> Path:
    """Return a product's environment."""
    return folder() / product.name


def is_here(product: Product) -> bool:
    """Whether a product's environment was made."""
    return is_installed(place(product))


def build(product: Product) -> None:
    """Make a product's environment.

    Raises:
        Absent: it cannot be installed.
    """
    if not product.lend or lenders(product.lend):
        install(place(product), product.packages, lend=product.lend)
        return
    cpu, any_build = TORCH
    try:
        install(place(product), (*product.packages, cpu))
    except Absent:
        install(place(product), (*product.packages, any_build))


def version(product: Product) -> str:
    """Return which version was installed."""
    return version_of(place(product), product.packages[0].partition("==")[0].partition("[")[0])


@contextmanager
def serving(product: Product, work: Path, *, port: int | None = None) -> Iterator[Serving]:
    """Run a product's server with the small models, until the end of the block.

    `work` is a folder of its own. Without a `port` it gets a free one.

    Raises:
        Absent: it does not become ready in time.
    """
    port, grpc_port = port or free_port(), free_port()
    script = SERVERS / f"serve_{product.name}.py"
    python = place(product) / "bin" / "python"
    command = [str(python), str(script), str(port), str(grpc_port), str(work)]

    def is_ready() -> bool:
        if not product.ready:
            return listens(grpc_port)
        return answers(f"http://127.0.0.1:{port}{product.ready}")

    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    with started(
        command, work=work, is_ready=is_ready, environment=quiet, stops_within_s=3.0
    ) as pid:
        yield Serving(product, port, grpc_port if product.grpc else None, pid)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Real inference servers for the tests.")
    parser.add_argument("what", choices=["build", "serve", "test", "record"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PRODUCTS))
    given = parser.parse_args()
    if unknown := set(given.names) - set(PRODUCTS):
        parser.error(f"{sorted(unknown)[0]} is none of {', '.join(PRODUCTS)}")
    products = [PRODUCTS[name] for name in given.names or PRODUCTS]
    say = Console(highlight=False)
    for product in products:
        began = time.monotonic()
        try:
            build(product)
        except Absent as absent:
            say.print(f"{product.name}: {absent}")
            return 1
        say.print(f"{product.name} {version(product)}: built ({time.monotonic() - began:.0f} s)")
    match given.what:
        case "serve":
            return _serve(products[0], say)
        case "build":
            return 0
        case _:
            return _pytest(given.what, [product.name for product in products])


def _serve(product: Product, say: Console) -> int:
    with tempfile.TemporaryDirectory(prefix="outcry-server-") as work:
        with serving(product, Path(work)) as server:
            say.print(f"{product.name}: http://127.0.0.1:{server.port} (pid {server.pid})")
            if server.grpc_port is not None:
                say.print(f"{product.name}: gRPC on 127.0.0.1:{server.grpc_port}")
            ends = {signal.SIGINT, signal.SIGTERM}
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)
            signal.sigwait(ends)
    return 0


def _pytest(what: str, names: list[str]) -> int:
    environment = {**os.environ, FOLDER: str(folder())}
    if what == "record":
        environment["OUTCRY_RECORD_REMOTE_SERVERS"] = "1"
    chosen = " or ".join(names)
    command = [sys.executable, "-m", "pytest", "-m", "framework", "-k", chosen, *TESTS]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
