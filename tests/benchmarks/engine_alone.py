"""What the engine costs over the bare model, without HTTP: one call, and a large batch.

`python -m tests.benchmarks.engine_alone FOLDER` prints the figures of a bundle as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from inference.engine.engine import Engine
from inference.engine.pipeline import LoadedModel
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from tests.benchmarks.results import Figures, median, significant

CALLS = 500
BATCH_ROWS = 16_384
SIZES = (16, 64, 256, 1_024, 4_096)


async def engine_alone(folder: Path) -> Figures:
    """Return p50 of one call, bare and through the worker, and rows per second of batches."""
    model = LoadedModel.load(folder, runtime_for=runtime_for)
    names = tuple(column.name for column in model.bundle.inputs)
    rows = np.random.default_rng(64).normal(size=(64, len(names)))
    one = Rows(names, rows[:1])
    many = Rows(names, np.resize(rows, (BATCH_ROWS, rows.shape[1])))
    (bare,) = model._members
    best = max(_rows_per_s(bare, many, size) for size in SIZES)
    direct = [_timed(lambda: bare.run(one)) for _ in range(CALLS)]
    pipeline = [_timed(lambda: model.answer(one)) for _ in range(CALLS)]
    async with Engine(lambda _: folder) as engine:
        await engine.predict("net", one, deadline_s=60)
        through = []
        for _ in range(CALLS):
            begun = time.perf_counter()
            await engine.predict("net", one, deadline_s=60)
            through.append(time.perf_counter() - begun)
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            await engine.predict("net", many, deadline_s=60, priority="batch")
            seconds.append(time.perf_counter() - begun)
    rate = BATCH_ROWS / median(seconds)
    return {
        "bare_call_us": significant(median(direct) * 1e6),
        "pipeline_call_us": significant(median(pipeline) * 1e6),
        "engine_call_us": significant(median(through) * 1e6),
        "added_us": significant((median(through) - median(direct)) * 1e6),
        "bare_rows_per_s": significant(best),
        "engine_rows_per_s": significant(rate),
        "share_of_bare": significant(rate / best, 3),
    }


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _rows_per_s(bare: Any, many: Rows, size: int) -> float:
    parts = [
        Rows(many.names, many.numbers[start : start + size]) for start in range(0, len(many), size)
    ]
    seconds = _timed(lambda: [bare.run(part) for part in parts])
    return len(many) / seconds


if __name__ == "__main__":
    print(json.dumps(uvloop.run(engine_alone(Path(sys.argv[1])))))
