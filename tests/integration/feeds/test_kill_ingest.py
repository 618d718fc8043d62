"""`outcry ingest` is killed again and again in mid-stream: every bar is there once, as it was sent.

Real processes: the command as people start it, a broker, a Postgres.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
import pytest

from app.storage.engine import Database

ROOT = Path(__file__).resolve().parents[3]
SYMBOLS = [f"K{number:02}" for number in range(40)]
BARS = 2_500
"""Of each symbol: 100,000 in all."""
KILLS = 6


def url_of(database: Database) -> str:
    """Return the database's address as a person would set it."""
    found: dict[str, Any] = database.connect_kwargs
    host = quote(str(found["host"]), safe="")
    return (
        f"postgresql://{found['user']}:{quote(found['password'])}@/{found['database']}"
        f"?host={host}&port={found['port']}"
    )


def numbers(symbol: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the closes and volumes that a symbol's bars have."""
    chance = np.random.default_rng(SYMBOLS.index(symbol))
    return np.round(chance.uniform(100, 150, BARS), 4), chance.integers(0, 10**9, BARS) * 1.0


def messages() -> Iterator[tuple[str, bytes]]:
    columns = {symbol: numbers(symbol) for symbol in SYMBOLS}
    start_ms = 1_704_153_600_000
    for number in range(BARS):
        for symbol in SYMBOLS:
            close, volume = (float(column[number]) for column in columns[symbol])
            bar: dict[str, Any] = {"symbol": symbol, "timeframe": "1m"}
            bar["timestamp"] = start_ms + 60_000 * number
            bar |= dict.fromkeys(("open", "high", "low", "close"), close)
            yield symbol, msgspec.json.encode(bar | {"volume": volume})


class Ingest:
    """The command as a process."""

    def __init__(self, folder: Path, database: Database, servers: str) -> None:
        self._folder = folder
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DATABASE_URL": url_of(database),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_GROUP_ID": "killed",
            "DATA_DIR": str(folder / "data"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "ingest.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "ingest"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(30)
        self._process = None
        return code

    def said(self) -> str:
        return (self._folder / "ingest.log").read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_bar_is_there_once_though_the_reader_is_killed_six_times(
    broker: Any, receiver: Any, tmp_path: Path
) -> None:
    chance = random.Random(20261126)
    await receiver.know(*SYMBOLS)
    await broker.create("bars", 4)
    ingest = Ingest(tmp_path, receiver.database, broker.servers)
    total = BARS * len(SYMBOLS)
    await broker.produce("bars", messages())
    killed_at = []
    for kill in range(KILLS):
        ingest.start()
        try:
            # Somewhere in the next stretch, whatever it is doing then.
            goal = max(1, total * kill // (KILLS + 1))
            await receiver.until(lambda goal=goal: reached(receiver, goal), within_s=60)
            time.sleep(chance.uniform(0, 0.3))  # noqa: ASYNC251 - a kill at a random moment
        finally:
            ingest.end()
        killed_at.append(await receiver.count())
    assert killed_at == sorted(killed_at)
    assert any(0 < count < total for count in killed_at), "it was killed in mid-stream"
    ingest.start()
    try:
        await receiver.until(lambda: reached(receiver, total), within_s=120)
    finally:
        code = ingest.end(signal.SIGTERM)
    assert code == 0, ingest.said()
    assert await receiver.count() == total
    assert await receiver.count("feed_refusals") == 0
    for symbol in SYMBOLS:
        found = await receiver.bars.read(symbol, timeframe="1m")
        close, volume = numbers(symbol)
        assert np.array_equal(found.close, close)
        assert np.array_equal(found.volume, volume)
    assert await positions(receiver) == total
    assert "Traceback" not in ingest.said(), ingest.said()


async def reached(receiver: Any, count: int) -> bool:
    return bool(await receiver.count() >= count)


async def positions(receiver: Any) -> int:
    """Return how many messages the stored positions have passed."""
    found: int = await receiver.database.fetchval(
        "SELECT sum(next_offset) FROM feed_positions WHERE group_id = 'killed'"
    )
    return found
