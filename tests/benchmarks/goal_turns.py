"""G5: what one turn costs the database when the conversation is long, beside LangGraph's saver.

One conversation of 500 turns, 200 bytes asked and 800 answered, words that do not compress. The
write-ahead log is read before and after each turn; nothing else uses this Postgres. The last
figure is the first turn after a restart, when no cache can help.
"""

import asyncio
import json
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg

from app.storage.embedded import EmbeddedPostgres
from tests.benchmarks import cpu, load
from tests.benchmarks.processes import helper
from tests.benchmarks.results import Figures, median, significant
from tests.benchmarks.server import LOAD_CORE, Product, product

TURNS = 500
MARKS = (5, 50, 200, 497)
QUESTION_BYTES = 200
ANSWER_BYTES = 800
PAYLOAD_BYTES = QUESTION_BYTES + ANSWER_BYTES
PEER_PACKAGES = ("langgraph", "langgraph-checkpoint-postgres", "psycopg[binary]")

_rng = random.Random(5)


def question(bytes_: int = QUESTION_BYTES) -> str:
    """Return a question of so many bytes that asks for 800 bytes at once."""
    directive = "tokens=40 interval_ms=0 text=words"
    filler = "".join(_rng.choices(string.ascii_letters + " ", k=bytes_ - len(directive) - 1))
    return f"{filler} {directive}"


async def g5(*, peers: bool = True) -> Figures:
    """Database bytes and time per turn against the length of the conversation."""
    with helper("fake_llm") as (llm_pid, llm_port), product(llm_port) as desk:
        cpu.pin([llm_pid], LOAD_CORE)
        async with EmbeddedPostgres(desk.server.data_dir) as postgres:
            meter = await asyncpg.connect(**postgres.connect_kwargs)
            figures = await _our_turns(desk, meter)
            sizes = await meter.fetch(
                "SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                "ORDER BY 2 DESC LIMIT 6"
            )
            figures["largest_tables_kib"] = {r["relname"]: r["bytes"] // 1024 for r in sizes}
            await meter.close()
            figures["after_restart_first_turn_ms"] = await _first_turn_after_restart(
                desk, figures.pop("thread_id")
            )
            figures["after_restart_to_turn_5"] = significant(
                figures["after_restart_first_turn_ms"] / figures["turn_5"]["ms"]
            )
            if peers:
                await postgres.create_database("peer")
                dsn = postgres.dsn.replace("/outcry?", "/peer?")
                figures["peers"] = await asyncio.to_thread(_peers, dsn)
    for peer in figures.get("peers", {}).values():
        peer["wal_ratio"] = significant(
            figures["turn_497"]["wal_bytes"] / peer["turn_497"]["wal_bytes"], 3
        )
        peer["time_ratio"] = significant(figures["turn_497"]["ms"] / peer["turn_497"]["ms"], 3)
    return figures


async def _our_turns(desk: Product, meter: "asyncpg.Connection[asyncpg.Record]") -> Figures:
    socket = await load.connect(desk.port, key=desk.key)
    thread_id = str(uuid4())
    took_ms: list[float] = []
    wal: list[int] = []
    for turn in range(TURNS):
        text = question()
        before = await meter.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        started = time.monotonic()
        await socket.run(text, thread_id=thread_id)
        took_ms.append((time.monotonic() - started) * 1000)
        after = await meter.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        wal.append(int(after - before))
        # Nobody asks faster than a connection may (50 commands a second); not part of the figure.
        await asyncio.sleep(0.03)
        if turn % 100 == 99:
            print(f"  turn {turn + 1}: {took_ms[-1]:.1f} ms, {wal[-1]} bytes of WAL")
    socket.close()
    figures = at_marks(took_ms, wal)
    five, last = figures["turn_5"], figures["turn_497"]
    return {
        **figures,
        "thread_id": thread_id,
        "wal_to_payload": significant(last["wal_bytes"] / PAYLOAD_BYTES),
        "wal_growth": significant(last["wal_bytes"] / five["wal_bytes"]),
        "time_growth": significant(last["ms"] / five["ms"]),
    }


def at_marks(took_ms: Sequence[float], wal: Sequence[int]) -> Figures:
    """Return medians over the seven turns around each mark."""
    figures: Figures = {}
    for mark in MARKS:
        around = slice(max(0, mark - 4), mark + 3)
        figures[f"turn_{mark}"] = {
            "ms": median(took_ms[around]),
            "wal_bytes": median(wal[around]),
        }
    return figures


async def _first_turn_after_restart(desk: Product, thread_id: str) -> float:
    """Return the median over three restarts of the first turn in a fresh process."""
    took_ms: list[float] = []
    for _ in range(3):
        await asyncio.to_thread(desk.server.terminate)
        await asyncio.to_thread(desk.server.start)
        desk.pin()
        socket = await load.connect(desk.port, key=desk.key)
        # Another conversation first, so that imports and connections are not what is measured.
        await socket.run(question())
        started = time.monotonic()
        await socket.run(question(), thread_id=thread_id)
        took_ms.append((time.monotonic() - started) * 1000)
        socket.close()
    return median(took_ms)


def _peers(dsn: str) -> Figures:
    """Measure LangGraph's checkpointer on the same Postgres, from an environment of its own."""
    with tempfile.TemporaryDirectory(prefix="outcry-peer-") as folder:
        print("  installing langgraph-checkpoint-postgres into a throw-away environment")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-qqq", *PEER_PACKAGES], check=True)
        figures: Figures = {}
        for variant in ("default", "exit"):
            done = subprocess.run(
                [
                    *(python, str(Path(__file__).with_name("peer_langgraph.py"))),
                    *("--dsn", dsn, "--turns", str(TURNS), "--durability", variant),
                ],
                check=True,
                capture_output=True,
                text=True,
            )
            measured = json.loads(done.stdout.splitlines()[-1])
            figures[f"langgraph_{variant}"] = {
                **at_marks(measured["ms"], measured["wal"]),
                "tables_mib": significant(measured["table_bytes"] / 2**20),
                "version": measured["version"],
            }
            print(f"  LangGraph {variant}: {figures[f'langgraph_{variant}']['turn_497']}")
        return figures
