"""How fast several workers train one network, and how far their weights are from those of one.

    python -m tests.benchmarks.parallel_training [--workers 1,2] [--device auto] [--cases 20000]

Trains a quantile net of 64 columns, a small one and a wide one, by the loop that recipes use.
Prints a line of JSON each, with commit and device; `start_s` is what starting costs, once.
"""

import argparse
import json
import time
from typing import Any

import numpy as np

from inference.training.models.quantile_net import BATCH, fit_quantile_net
from inference.training.parallel.lesson import Lesson, Weights
from inference.training.parallel.team import local_team
from tests.benchmarks import results
from tests.benchmarks.cards import shares
from tests.benchmarks.results import Figures, significant

COLUMNS = 64
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NETS: tuple[tuple[int, ...], ...] = ((32, 32), (1024, 1024))


def measure(
    workers: int, device: str, hidden: tuple[int, ...], *, cases: int, epochs: int
) -> tuple[Figures, Weights]:
    """Return the figures of one training, and its weights."""
    dice = np.random.default_rng(13)
    rows = dice.normal(size=(cases, COLUMNS))
    outcomes = np.tanh(rows[:, 0]) + np.exp(0.3 * rows[:, 1]) * dice.normal(size=cases)
    took: list[float] = []
    with local_team(workers, device) as team:

        def fit(lesson: Lesson) -> Weights:
            began = time.perf_counter()
            found = team.fit(lesson, checkpoint=None, tell=lambda step, steps: None)
            took.append(time.perf_counter() - began)
            return found

        given: dict[str, Any] = {"hidden": hidden, "epochs": epochs, "fit": fit}
        # The first lesson starts the crew; another seed makes the second one another lesson.
        fit_quantile_net(rows[:BATCH], outcomes[:BATCH], LEVELS, seed=2, **given)
        net = fit_quantile_net(rows, outcomes, LEVELS, seed=1, **given)
        place = team.place
    widths = (COLUMNS, *hidden, len(LEVELS))
    weights = sum(widths[i] * widths[i + 1] for i in range(len(widths) - 1))
    # Forwards once, backwards twice.
    tflops = 6.0 * weights * cases * epochs / took[1] / 1e12
    return {
        "workers": workers,
        "device": place.card or place.device,
        "hidden": list(hidden),
        "cases": cases,
        "batch": BATCH,
        "start_s": significant(took[0], 3),
        "seconds": significant(took[1], 3),
        "cases_per_s": significant(cases * epochs / took[1], 3),
        "tflops": significant(tflops, 3),
        **shares(place.card, tflops=tflops / workers, gb_per_s=0.0, precision="float32"),
    }, net.tensors


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=2)
    told = parser.parse_args()
    for hidden in NETS:
        first: Weights = {}
        for workers in map(int, told.workers.split(",")):
            figures, weights = measure(
                workers, told.device, hidden, cases=told.cases, epochs=told.epochs
            )
            first = first or weights
            off = max(float(np.abs(weights[name] - one).max()) for name, one in first.items())
            figures["largest_difference"] = significant(off, 2)
            print(json.dumps({"commit": results.commit(), **figures}), flush=True)


if __name__ == "__main__":
    main()
