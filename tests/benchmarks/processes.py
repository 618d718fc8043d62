"""Start a helper of this folder as a process of its own and learn its port."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def helper(name: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run `tests/benchmarks/NAME.py`; give its process id and port; end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip():
            raise RuntimeError(f"{name} ended before it listened: exit code {process.wait()}")
        yield process.pid, int(line)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
