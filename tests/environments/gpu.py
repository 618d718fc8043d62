"""All that can only be seen on a card, in one run: `python -m tests.environments.gpu [--out FILE]`.

Needs this repository and torch, numpy, msgspec, safetensors and zstandard; pytest adds the tests
that are marked for a card. It checks and measures, and writes one JSON with device and commit.
Without a card it does the same on the processor, smaller, and says so: the exit status is 0 if all
checks passed, 1 if one failed, 3 if they passed without a card.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks import cards, results
from tests.benchmarks.gpu_forecast import measure as forecast_figures
from tests.benchmarks.many_series import NETS
from tests.benchmarks.many_series import measure as series_figures
from tests.benchmarks.parallel_training import NETS as TRAINED
from tests.benchmarks.parallel_training import measure as training_measured
from tests.environments.gpu_checks import CHECKS

NO_CARD = 3
TESTS = (
    "tests/unit/inference/runtimes/test_torch_card.py",
    "tests/unit/inference/runtimes/test_pytorch.py",
    "tests/unit/inference/training/parallel",
)
SIZES: tuple[tuple[int, ...], ...] = ((256, 256), (1024, 1024, 1024), (4096, 4096))


def main() -> int:
    """Check, measure, write, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--quick", action="store_true", help="fewer series, the small net alone")
    parser.add_argument("--skip-tests", action="store_true", help="no pytest")
    told = parser.parse_args()
    where = cards.device()
    on_card = where["device"] == "cuda"
    quick = told.quick or not on_card
    found: dict[str, Any] = {
        "commit": results.commit(),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        **where,
        "checks": {},
        "figures": {},
    }

    def step(kind: str, name: str, work: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            what = work()
        except Exception as error:
            # One broken part must not cost the others' figures: the file says which it was.
            traceback.print_exc()
            what = {"failed": f"{type(error).__name__}: {str(error)[:400]}"}
        found[kind][name] = {"seconds": round(time.monotonic() - began, 2), **what}
        print(f"{kind[:-1]} {name}: {json.dumps(found[kind][name])}", flush=True)  # noqa: T201
        told.out.write_text(json.dumps(found, indent=1) + "\n")

    for name, check in CHECKS.items():
        step("checks", name, partial(check, where["device"]))
    if not told.skip_tests and importlib.util.find_spec("pytest"):
        step("checks", "pytest", _tests)
    series, rounds = (500, 2) if quick else (10_000, 20)
    for hidden in SIZES[: 1 if quick else None]:
        for precision in ("float32", "bfloat16") if on_card else ("float32",):
            step(
                "figures",
                f"forecast {'x'.join(map(str, hidden))} {precision}",
                partial(
                    forecast_figures,
                    series=series, hidden=hidden, precision=precision, rounds=rounds,
                ),
            )  # fmt: skip
    for net in NETS:
        step(
            "figures",
            f"series {net}",
            partial(
                series_figures,
                net, "pytorch", device=where["device"], series=series, times=rounds,
            ),
        )  # fmt: skip
    for hidden in TRAINED[: 1 if quick else None]:
        for workers in sorted({1, where.get("cards", 1)}):
            step(
                "figures",
                f"training {'x'.join(map(str, hidden))} with {workers}",
                partial(_training, workers, where["device"], hidden, 4_000 if quick else 200_000),
            )
    everything = [*found["checks"].values(), *found["figures"].values()]
    failed = [one for one in everything if "failed" in one]
    print(f"{told.out}: {len(failed)} of {len(everything)} failed")  # noqa: T201
    if failed:
        return 1
    return 0 if on_card else NO_CARD


def _training(workers: int, device: str, hidden: tuple[int, ...], cases: int) -> dict[str, Any]:
    return training_measured(workers, device, hidden, cases=cases, epochs=2)[0]


def _tests() -> dict[str, Any]:
    """Run the tests that a card makes whole."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    last = lines[-1] if lines else done.stderr[-300:]
    return {"said": last} if done.returncode == 0 else {"failed": "\n".join(lines[-20:]) or last}


if __name__ == "__main__":
    raise SystemExit(main())
