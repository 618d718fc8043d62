"""G12: from the command to the first streamed token, cold and warm, and the size of an install."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.processes import helper
from tests.benchmarks.results import Figures, median, significant
from tests.benchmarks.server import environment
from tests.faults.server import ROOT, Server

TEXT = "tokens=3 interval_ms=10 text=letters"


async def g12(*, rounds: int = 5, size: bool = True) -> Figures:
    """Seconds to the first token with an empty data directory and with a used one."""
    cold: list[float] = []
    warm: list[float] = []
    ready: dict[str, list[float]] = {"cold": [], "warm": []}
    with helper("fake_llm") as (_, llm_port):
        for number in range(rounds):
            with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
                os.chmod(folder, 0o711)
                server = Server(Path(folder) / "data", environment(llm_port))
                try:
                    seconds, at_ready = await _until_first_token(server)
                    cold.append(seconds)
                    ready["cold"].append(at_ready)
                    await asyncio.to_thread(server.terminate)
                    seconds, at_ready = await _until_first_token(server)
                    warm.append(seconds)
                    ready["warm"].append(at_ready)
                finally:
                    await asyncio.to_thread(server.clean_up)
            print(f"  round {number + 1}: cold {cold[-1]:.2f} s, warm {warm[-1]:.2f} s")
    figures: Figures = {
        "cold_s": median(cold),
        "warm_s": median(warm),
        "cold_ready_s": median(ready["cold"]),
        "warm_ready_s": median(ready["warm"]),
    }
    if size:
        figures["install_mb"] = await asyncio.to_thread(_install_size_mb)
    return figures


async def _until_first_token(server: Server) -> tuple[float, float]:
    """Start `server`; return seconds to the first token at a client, and to "ready".

    The client signs in with a password, as a person's browser does, so that is in the figure.
    """
    started = time.monotonic()
    server.launch()
    await asyncio.to_thread(server.wait_ready)
    at_ready = time.monotonic() - started
    cookie = await asyncio.to_thread(server.sign_in)
    socket = await load.connect(server.port, cookie=cookie)
    answer = await socket.run(TEXT)
    socket.close()
    return answer.first_ns / 1e9 - started, at_ready


def _install_size_mb() -> float:
    """Return the megabytes that the locked runtime set adds to an empty environment."""
    with tempfile.TemporaryDirectory(prefix="outcry-size-") as folder:
        print("  installing the runtime lock into a throw-away environment")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        empty = _folder_bytes(Path(folder))
        python = str(Path(folder) / "bin" / "python")
        lock = str(ROOT / "requirements" / "runtime.lock")
        subprocess.run(
            [python, "-m", "pip", "install", "-qqq", "--no-deps", "--no-compile", "-r", lock],
            check=True,
        )
        return significant((_folder_bytes(Path(folder)) - empty) / 1e6)


def _folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_symlink())
