"""Measure the goals: `python -m tests.benchmarks.run [--only g1,g4] [--write-docs]`.

Prints a table, keeps every figure in one JSON file and writes `docs/performance.md` from it. Takes
about fifteen minutes for all; pins to two cores, so nothing else should run meanwhile.
"""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from tests.benchmarks import results
from tests.benchmarks.goal_idle import g7
from tests.benchmarks.goal_indicators import g8, g9
from tests.benchmarks.goal_ingest import ingest
from tests.benchmarks.goal_live import live
from tests.benchmarks.goal_predictions import predictions
from tests.benchmarks.goal_screen import screen
from tests.benchmarks.goal_start import g12
from tests.benchmarks.goal_stream import g1, g3, g4
from tests.benchmarks.goal_turns import g5
from tests.benchmarks.goal_writes import g6
from tests.benchmarks.report import DOCS, table, write_docs

GOALS: dict[str, Callable[[], Awaitable[results.Figures]]] = {
    "g1": g1,
    "g3": g3,
    "g4": g4,
    "g5": g5,
    "g6": g6,
    "g7": g7,
    "g8": g8,
    "g9": g9,
    "g12": g12,
    "ingest": ingest,
    "live": live,
    "screen": screen,
    "predictions": predictions,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="comma-separated goals, as in g1,g4")
    parser.add_argument("--out", type=Path, default=results.DEFAULT_OUT)
    parser.add_argument("--write-docs", action="store_true", help=f"write {DOCS.name} at the end")
    parser.add_argument("--docs-only", action="store_true", help="measure nothing, write the docs")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.only.split(",") if name] or list(GOALS)
    if unknown := set(wanted) - set(GOALS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GOALS)}")
    for name in [] if arguments.docs_only else wanted:
        goal = GOALS[name]
        print(f"{name}: {(goal.__doc__ or '').splitlines()[0]}", flush=True)
        started = time.monotonic()
        figures = uvloop.run(_measure(goal))
        results.keep(arguments.out, name, figures, seconds=time.monotonic() - started)
    print(table(results.load(arguments.out)))
    if arguments.write_docs or arguments.docs_only:
        write_docs(results.load(arguments.out))


async def _measure(goal: Callable[[], Awaitable[results.Figures]]) -> results.Figures:
    return await goal()


if __name__ == "__main__":
    main()
