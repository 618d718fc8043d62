"""What a network needs to go on learning, in one file: weights, moments and the step.

It is the same for any number of workers. The file is named by its lesson, so that no other lesson
takes it up; it holds numbers only.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from inference.training.parallel.lesson import Weights


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """How far a training is."""

    step: int
    """Steps that were made."""
    weights: Weights
    moments: Weights
    """Means and mean squares of the gradients, as Adam has them; none once it is done."""
    done: bool = False

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        tensors = {
            **{f"weights/{name}": np.ascontiguousarray(one) for name, one in self.weights.items()},
            **{f"moments/{name}": np.ascontiguousarray(one) for name, one in self.moments.items()},
        }
        told = {"step": str(self.step), "done": json.dumps(self.done)}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(save(tensors, metadata=told))
        partial.replace(path)

    @classmethod
    def read(cls, path: Path | None) -> "Checkpoint | None":
        """Return what stands there; None where nothing does, or nothing that can be read."""
        if path is None:
            return None
        parts: dict[str, Weights] = {"weights": {}, "moments": {}}
        try:
            with safe_open(str(path), framework="numpy") as file:
                told = file.metadata() or {}
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    kind, _, rest = name.partition("/")
                    parts[kind][rest] = file.get_tensor(name)
            return cls(
                int(told["step"]), parts["weights"], parts["moments"], told["done"] == "true"
            )
        except (FileNotFoundError, SafetensorError, KeyError, ValueError):
            return None


def checkpoint_file(folder: Path | None, digest: str) -> Path | None:
    """Return where a lesson's checkpoint stands in a training's folder."""
    return None if folder is None else folder / f"{digest}.safetensors"
