"""One JSON file with every figure, the machine and the commit it was measured on."""

import json
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_OUT = ROOT / "tests" / "benchmarks" / "results.json"

Figures = dict[str, Any]


def machine() -> Figures:
    """Return what the figures depend on and nothing that names this machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the short commit, with `+` when the product's files were changed since.

    Where there is no repository, `OUTCRY_COMMIT` may say it.
    """
    if shutil.which("git") is None:
        return os.environ.get("OUTCRY_COMMIT", "unknown")
    head = _git("rev-parse", "--short", "HEAD")
    product = ("app", "agents", "tools", "memory", "inference", "migrations")
    changed = _git("status", "--porcelain", "--", *product)
    return head + ("+" if changed else "") if head else os.environ.get("OUTCRY_COMMIT", "unknown")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def load(path: Path) -> Figures:
    """Return the figures kept so far."""
    if not path.exists():
        return {"goals": {}}
    kept: Figures = json.loads(path.read_text())
    return kept


def keep(path: Path, goal: str, figures: Figures, *, seconds: float) -> None:
    """Put the figures of one goal into the file, beside those of other goals."""
    kept = load(path)
    kept["machine"] = machine()
    kept["goals"][goal] = {
        "commit": commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "load_average": round(os.getloadavg()[1], 2),
        "seconds": round(seconds),
        **figures,
    }
    path.write_text(json.dumps(kept, indent=1, default=_rounded) + "\n")


def _rounded(value: object) -> object:
    raise TypeError(f"{value!r} is no figure")


def median(values: Sequence[float]) -> float:
    """Return the median, to four significant digits."""
    return significant(statistics.median(values)) if values else float("nan")


def significant(value: float, digits: int = 4) -> float:
    """Return `value` to so many significant digits."""
    return float(f"{value:.{digits}g}")
