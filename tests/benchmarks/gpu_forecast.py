"""Forecast ten thousand series per call on a card: `python -m tests.benchmarks.gpu_forecast`.

Runs a monotone quantile network through the same pipeline as the desk, on a card if there is one,
else on the CPU, which it says. Prints one line of JSON a size: commit and device, rows per second,
what share of the card's arithmetic and memory bandwidth that is, and the time one call takes. It
needs torch, numpy, msgspec and safetensors, and no installation of the desk.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save

from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.engine.device import pick_device
from inference.engine.pipeline import LoadedModel
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from tests.benchmarks import results
from tests.benchmarks.cards import card_name, shares
from tests.benchmarks.results import Figures, median, significant

SERIES = 10_000
COLUMNS = 64
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
ROUNDS = 7


def save_model(folder: Path, hidden: tuple[int, ...], precision: str = "float32") -> Bundle:
    """Write a quantile network of random weights as a bundle."""
    rng = np.random.default_rng(9)
    widths = (COLUMNS, *hidden, len(LEVELS))
    tensors = {}
    for index in range(len(widths) - 1):
        wide, out = widths[index], widths[index + 1]
        tensors[f"layers.{index}.weight"] = rng.normal(0, wide**-0.5, (out, wide)).astype("f4")
        tensors[f"layers.{index}.bias"] = np.zeros(out, dtype="f4")
    bundle = Bundle(
        name="quantiles",
        recipe="benchmark",
        task="return_quantiles",
        model_type="time_series",
        framework="pytorch",
        inputs=tuple(InputColumn(name=f"x{index}") for index in range(COLUMNS)),
        members=(
            Member(
                name="net",
                runtime="pytorch",
                file="weights.safetensors",
                architecture="monotone_quantiles",
                options={
                    "inputs": COLUMNS,
                    "hidden": list(hidden),
                    "outputs": len(LEVELS),
                    "activation": "relu",
                    "anchor": 3,
                    "precision": precision,
                },
            ),
        ),
        head=Head(kind="quantiles", levels=LEVELS, interval_level=0.8),
        max_batch=SERIES,
    )
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(save(tensors))
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
    return bundle


def measure(
    *,
    series: int,
    hidden: tuple[int, ...],
    device: str = "auto",
    precision: str = "float32",
    rounds: int = ROUNDS,
) -> Figures:
    """Return the figures of one size of network."""
    with tempfile.TemporaryDirectory() as name:
        bundle = save_model(Path(name) / "model", hidden, precision)
        where = pick_device(device, bundle)
        model = LoadedModel.load(Path(name) / "model", runtime_for=runtime_for, device=where)
        rng = np.random.default_rng(1)
        names = tuple(column.name for column in bundle.inputs)
        rows = Rows(names, rng.normal(size=(series, COLUMNS)))
        model.answer(rows)  # compiles, allocates
        seconds = median([_timed(lambda: model.answer(rows)) for _ in range(rounds)])
        (bare,) = model._members
        bare_s = median([_timed(lambda: bare.run(rows)) for _ in range(rounds)])
        cpu = LoadedModel.load(Path(name) / "model", runtime_for=runtime_for, device="cpu")
        few = Rows(names, rows.numbers[:256])
        here, there = cpu.answer(few).quantiles, model.answer(few).quantiles
        model.close()
    assert here is not None
    assert there is not None
    widths = (COLUMNS, *hidden, len(LEVELS))
    weights = sum(widths[i] * widths[i + 1] for i in range(len(widths) - 1))
    flops = 2.0 * weights * series
    moved = 4.0 * (weights + series * sum(widths))
    tflops, gb_per_s = flops / bare_s / 1e12, moved / bare_s / 1e9
    card = card_name(where)
    return {
        "device": where if card is None else card,
        "precision": precision,
        "series": series,
        "hidden": list(hidden),
        "call_ms": significant(seconds * 1e3),
        "network_ms": significant(bare_s * 1e3),
        "series_per_s": significant(series / seconds),
        "tflops": significant(tflops),
        "gb_per_s": significant(gb_per_s),
        "largest_difference_to_cpu": significant(float(np.abs(here - there).max()), 2),
        **shares(card, tflops=tflops, gb_per_s=gb_per_s, precision=precision),
    }


def _timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=SERIES)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="the small network alone")
    arguments = parser.parse_args()
    sizes: list[tuple[int, ...]] = [(256, 256)]
    if not arguments.quick:
        sizes += [(1024, 1024, 1024), (4096, 4096)]
    for hidden in sizes:
        figures = measure(
            series=arguments.series,
            hidden=hidden,
            device=arguments.device,
            precision=arguments.precision,
            rounds=arguments.rounds,
        )
        if figures["device"] == "cpu":
            print("no card is used: these are the CPU's figures", file=sys.stderr)
        print(json.dumps({"commit": results.commit(), **figures}), flush=True)


if __name__ == "__main__":
    main()
