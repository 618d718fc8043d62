"""How many series a second are forecast, ten thousand in one call: numpy, PyTorch, CPU or card.

    python -m tests.benchmarks.many_series [--device cuda] [--series 10000] [--times 20]

The nets are those that recipes train (random weights: speed does not depend on them): a quantile
net over 11 features, and a GRU over 60 bars of 4 channels. It prints one line of JSON each, with
commit and device; on a card also which shares of its arithmetic and its bandwidth were reached.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.errors import MissingFramework
from inference.requests import Rows
from inference.runtimes.architectures import declared_architecture, tensor_shapes
from inference.runtimes.catalog import runtime_for
from tests.benchmarks import results
from tests.benchmarks.cards import card_name, shares
from tests.benchmarks.results import Figures, significant

NETS: dict[str, dict[str, Any]] = {
    "monotone_quantiles": {
        "inputs": 11, "hidden": [64, 64], "outputs": 7, "anchor": 3, "activation": "gelu",
    },
    "gru_quantiles": {
        "inputs": 240, "window": 60, "channels": 4, "units": 64, "outputs": 7, "anchor": 3,
    },
}  # fmt: skip


def multiplications(member: Member) -> float:
    """Return about how many multiply-adds one series takes."""
    shapes = tensor_shapes(declared_architecture(member))
    weights = {name: float(np.prod(shape)) for name, shape in shapes.items() if len(shape) == 2}
    bars = member.options.get("window", 1)
    return sum(count * (bars if name.startswith("gru.") else 1) for name, count in weights.items())


def seconds(runtime: Any, net: str, *, device: str, series: int, times: int, block: int) -> Any:
    """Return the median seconds of one call, and what was run."""
    options = NETS[net] | ({"block": block} if block else {})
    member = Member(
        name=net, runtime=runtime, file="net.safetensors", architecture=net, options=options
    )
    rng = np.random.default_rng(0)
    shapes = tensor_shapes(declared_architecture(member))
    tensors = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    columns = tuple(f"c{index}" for index in range(options["inputs"]))
    rows = Rows(columns, rng.normal(size=(series, options["inputs"])))
    with tempfile.TemporaryDirectory() as folder:
        save_file(tensors, Path(folder) / "net.safetensors")
        loaded = runtime_for(runtime).load(Path(folder), member, device=device)
        loaded.run(rows)
        taken = []
        for _ in range(times):
            begun = time.perf_counter()
            loaded.run(rows)
            taken.append(time.perf_counter() - begun)
        loaded.close()
    return float(np.median(taken)), member


def measure(
    net: str, runtime: str, *, device: str, series: int, times: int, block: int = 0
) -> Figures:
    """Return the figures of one net.

    Raises:
        MissingFramework: the runtime's framework is not installed.
    """
    took, member = seconds(runtime, net, device=device, series=series, times=times, block=block)
    work = 2.0 * multiplications(member) * series
    # What has to be read and written at least: the rows, the weights once, the answers.
    shapes = tensor_shapes(declared_architecture(member))
    weights = sum(float(np.prod(shape)) for shape in shapes.values())
    moved = 4.0 * (weights + series * (member.options["inputs"] + member.options["outputs"]))
    tflops, gb_per_s = work / took / 1e12, moved / took / 1e9
    card = card_name(device)
    return {
        "net": net,
        "runtime": runtime,
        "device": device if card is None else card,
        "series": series,
        "call_ms": significant(1e3 * took),
        "series_per_s": significant(series / took),
        "tflops": significant(tflops),
        "gb_per_s": significant(gb_per_s),
        **shares(card, tflops=tflops, gb_per_s=gb_per_s, precision="float32"),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--block", type=int, default=0, help="rows at once; 0: the default")
    told = parser.parse_args()
    for net in NETS:
        for runtime in ("numpy", "pytorch"):
            if runtime == "numpy" and told.device != "cpu":
                continue
            try:
                figures = measure(
                    net, runtime,
                    device=told.device, series=told.series, times=told.times, block=told.block,
                )  # fmt: skip
            except MissingFramework as error:
                print(f"{net} {runtime}: {error}", file=sys.stderr)
                continue
            print(json.dumps({"commit": results.commit(), **figures}), flush=True)


if __name__ == "__main__":
    main()
