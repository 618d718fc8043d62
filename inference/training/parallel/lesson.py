"""What is to be learned, as it travels to the workers: plain settings, arrays, and a name.

The name says which `Study` makes a network and its losses of them. Nothing here needs torch.
"""

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from inference.errors import InferenceError

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = dict[str, Array]
Batch: TypeAlias = NDArray[np.int64]
"""Which cases are learned from at once, all workers together."""


class Diverged(InferenceError):
    """The numbers went to infinity: the training has no model to give."""

    code = "diverged"


class CardFull(InferenceError):
    """Not even one case fits into the card's memory beside the network."""

    code = "out_of_memory"


class Study(Protocol):
    """How one kind of network learns. Made in every worker, of the same lesson.

    What it draws at random depends on the lesson alone, so that all workers see the same batches.
    """

    rate: float
    """The learning rate at the first step; it falls to 0 along half a cosine."""
    decay: float
    """Of the weights, as AdamW has it; 0 is Adam."""
    clip: float | None
    """The longest gradient that is followed in full."""
    steps: int
    steps_per_epoch: int

    def __init__(
        self, torch: Any, settings: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None: ...

    def net(self) -> Any:
        """Return the network with its first weights. Called once, before any epoch."""
        ...

    def epoch(self, index: int) -> Sequence[Batch]:
        """Return the batches of an epoch. Asked in rising order; some may be left out."""
        ...

    def cases(self, which: Batch) -> tuple[Array, ...]:
        """Return what these cases bring, float32: a worker reads its own cases only."""
        ...

    def losses(self, net: Any, *cases: Any) -> Any:
        """Return the loss of each case."""
        ...


@dataclass(frozen=True, eq=False)
class Lesson:
    """Something to be learned."""

    study: str
    """`module:Class` of the study."""
    settings: dict[str, Any]
    """For the study; plain enough for JSON."""
    arrays: dict[str, Array]

    def begin(self, torch: Any) -> Study:
        """Return the study of this lesson."""
        module, _, name = self.study.partition(":")
        made: Study = getattr(importlib.import_module(module), name)(
            torch, self.settings, self.arrays
        )
        return made

    def digest(self) -> str:
        """Return a name for all of it: another lesson has another."""
        seen = hashlib.sha256(self._told())
        for name, array in sorted(self.arrays.items()):
            seen.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
            seen.update(np.ascontiguousarray(array).data)
        return seen.hexdigest()[:32]

    def write(self, folder: Path) -> None:
        """Write it so that workers of this machine can map its arrays."""
        folder.mkdir(parents=True)
        for name, array in self.arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        (folder / "lesson.json").write_bytes(self._told())

    @classmethod
    def read(cls, folder: Path) -> "Lesson":
        """Return what `write` wrote, mapped: pages are read when they are needed."""
        told = msgspec.json.decode((folder / "lesson.json").read_bytes())
        arrays = {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in folder.glob("*.npy")
        }
        return cls(told["study"], told["settings"], arrays)

    def to_bytes(self) -> bytes:
        """Return it in one piece, for workers on other machines."""
        told = self._told()
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        packed: bytes = save(arrays)
        return len(told).to_bytes(8, "little") + told + packed

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Lesson":
        """Return what `to_bytes` packed."""
        start = 8 + int.from_bytes(packed[:8], "little")
        told = msgspec.json.decode(packed[8:start])
        return cls(told["study"], told["settings"], load(packed[start:]))

    def _told(self) -> bytes:
        told = {"study": self.study, "settings": self.settings}
        return msgspec.json.encode(told, order="deterministic")
