"""The product under measurement: a desk in a temporary folder, pinned, with a meter on it.

Persistence, cost accounting and sign-in are on as for any user; nothing is switched off for speed.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import cpu
from tests.faults.server import Server

SERVER_CORE = 0
LOAD_CORE = 1


@dataclass(frozen=True)
class Cpu:
    """CPU seconds of the two halves of the product."""

    server_s: float
    postgres_s: float

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.server_s - other.server_s, self.postgres_s - other.postgres_s)

    @property
    def total_s(self) -> float:
        return self.server_s + self.postgres_s


class Product:
    """A running desk and its meters."""

    def __init__(self, server: Server, key: str) -> None:
        self.server = server
        self.key = key

    @property
    def port(self) -> int:
        return self.server.port

    def server_pids(self) -> list[int]:
        """Return the server's own process tree, without Postgres."""
        return [pid for pid in cpu.descendants(self.server.pid) if pid not in self.postgres_pids()]

    def postgres_pids(self) -> list[int]:
        """Return the embedded Postgres and its backends; it is nobody's child."""
        postmaster = self.server.postmaster()
        return cpu.descendants(postmaster) if postmaster is not None else []

    def cpu(self) -> Cpu:
        """Read the meters."""
        return Cpu(cpu.cpu_seconds(self.server_pids()), cpu.cpu_seconds(self.postgres_pids()))

    def rss_bytes(self) -> int:
        """Return the resident memory of the server without Postgres."""
        return cpu.rss_bytes(self.server_pids())

    def pin(self) -> None:
        """Keep server and Postgres together on one core."""
        cpu.pin([*self.server_pids(), *self.postgres_pids()], SERVER_CORE)


def environment(llm_port: int) -> dict[str, str]:
    """Return what makes a desk ask the fake LLM."""
    return {
        "OPENAI_API_KEY": "sk-benchmark-0123456789",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{llm_port}/v1",
        "OUTCRY_MODEL": "fake-1",
    }


@contextmanager
def product(llm_port: int, *, data_dir: Path | None = None) -> Iterator[Product]:
    """Run a desk against the fake LLM; everything it made is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
        # The user that the embedded Postgres runs as must be able to pass through.
        os.chmod(folder, 0o711)
        server = Server(data_dir or Path(folder) / "data", environment(llm_port))
        try:
            server.start()
            running = Product(server, server.api_key())
            running.pin()
            cpu.pin([os.getpid()], LOAD_CORE)
            yield running
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            server.clean_up()
