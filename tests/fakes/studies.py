"""Studies that are small and do as they are told: for tests of whoever trains networks."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.training.parallel.lesson import Array, Batch, Lesson


class Line:
    """Fits a line by least squares. `behaviour`, in the worker `of` at the step `at`: good, dies,
    hangs, broken, infinite; every worker: full (there is no memory for more than two cases)."""

    rate, decay, clip = 0.05, 0.0, None

    def __init__(
        self, torch: Any, settings: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        self._torch = torch
        self._settings = settings
        self._x, self._y = arrays["x"], arrays["y"]
        self._step = 0
        self.batch: int = settings.get("batch", 8)
        self.steps_per_epoch = -(-len(self._x) // self.batch)
        self.steps: int = settings.get("epochs", 10) * self.steps_per_epoch

    def net(self) -> Any:
        """Return the line, at 0."""
        net = self._torch.nn.Linear(self._x.shape[1], 1)
        with self._torch.no_grad():
            for parameter in net.parameters():
                parameter.zero_()
        return net

    def epoch(self, index: int) -> Sequence[Batch]:
        """Return the batches, another order each epoch."""
        order = np.random.default_rng([3, index]).permutation(len(self._x))
        return [order[start : start + self.batch] for start in range(0, len(order), self.batch)]

    def cases(self, which: Batch) -> tuple[Array, ...]:
        """Return rows and outcomes."""
        return self._x[which], self._y[which]

    def losses(self, net: Any, *cases: Any) -> Any:
        """Return the squared errors."""
        x, y = cases
        self._misbehave(len(x))
        self._step += 1
        time.sleep(self._settings.get("step_s", 0.0))
        return (net(x)[:, 0] - y) ** 2

    def _misbehave(self, count: int) -> None:
        behaviour = self._settings.get("behaviour", "good")
        if behaviour == "full" and count > self._settings.get("room", 2):
            raise self._torch.OutOfMemoryError("CUDA out of memory, says the test")
        joined = self._torch.distributed
        rank = joined.get_rank() if joined.is_initialized() else 0
        here = rank == self._settings.get("of", 0) and self._step == self._settings.get("at", 5)
        if not here:
            return
        if behaviour == "dies":
            os.kill(os.getpid(), 9)
        if behaviour == "hangs":
            time.sleep(3600)
        if behaviour == "broken":
            raise ZeroDivisionError("a bug")


def line(*, rows: int = 50, hole: bool = False, **settings: Any) -> Lesson:
    """Return a line to be learned; with `hole` one outcome is infinite."""
    dice = np.random.default_rng(1)
    x = dice.normal(size=(rows, 3)).astype("f4")
    y = (x @ np.array([1.0, -2.0, 0.5]) + 0.3).astype("f4")
    if hole:
        y[rows // 2] = np.inf
    return Lesson(f"{__name__}:{Line.__name__}", settings, {"x": x, "y": y})
