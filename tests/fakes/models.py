"""Small models with known answers, and models that misbehave on purpose.

`runtime_for` stands where `inference.runtimes.catalog.runtime_for` does, also inside a worker.
"""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.errors import BadModel, DamagedArtifact, MissingFramework
from inference.requests import Floats, Rows
from inference.runtimes.runtime import Loaded, Outputs, Runtime


@dataclass
class Linear:
    """Gives the weighted sum of a row, computed row by row in one order."""

    weights: Floats
    size: int
    calls: list[int] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return self.size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        self.calls.append(len(rows))
        parts = rows.numbers * self.weights
        total = np.zeros(len(rows))
        for column in range(parts.shape[1]):
            total = total + parts[:, column]
        if explain:
            return Outputs(
                total[:, None], contributions=parts, contribution_names=tuple(rows.names)
            )
        return Outputs(total[:, None])

    def close(self) -> None:
        self.weights = np.zeros(0)


@dataclass
class Misbehaving:
    """Does what `options["does"]` says, when the first number of a row is above 0."""

    does: str
    marks: Path | None = None

    @property
    def size_bytes(self) -> int:
        return 1000

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        columns = rows.numbers[:, :1].copy()
        if not (columns > 0).any():
            return Outputs(columns)
        match self.does:
            case "nan":
                columns[columns > 0] = np.nan
            case "huge":
                columns[columns > 0] = 1e308
            case "short":
                columns = columns[:-1]
            case "raise":
                raise RuntimeError("a framework's own error")
            case "exit":
                os._exit(3)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "sleep":
                time.sleep(float(columns.max()))
            case "memory":
                np.ones(2**34)
        return Outputs(columns)

    def close(self) -> None:
        """Nothing is held."""


class FakeRuntime:
    """Loads both, by the member's options."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        options: dict[str, Any] = member.options
        if options.get("load") == "fails":
            raise BadModel("it cannot be loaded")
        if options.get("load") == "exits":
            os._exit(4)
        if "does" in options:
            return Misbehaving(options["does"])
        weights = np.array(options["weights"], dtype=np.float64)
        return Linear(weights, int(options.get("size", weights.nbytes)))


def runtime_for(name: str) -> Runtime:
    if name == "tensorflow":
        raise MissingFramework("TensorFlow", extra="tensorflow")
    return FakeRuntime()


def linear_bundle(weights: list[float], *, name: str = "sum", **changes: Any) -> Bundle:
    """Return a bundle whose value is the weighted sum of the columns a, b, c, ..."""
    columns = tuple(InputColumn(name=chr(97 + index)) for index in range(len(weights)))
    options = {"weights": weights, **changes.pop("options", {})}
    whole: dict[str, Any] = {
        "name": name,
        "recipe": "fake",
        "task": "sum",
        "model_type": "regression",
        "framework": "numpy",
        "inputs": columns,
        "members": (Member(name="linear", runtime="numpy", options=options),),
        "head": Head(kind="value"),
    }
    return Bundle(**{**whole, **changes})


def misbehaving_bundle(does: str, **changes: Any) -> Bundle:
    """Return a bundle of one column that does something bad when it is above 0."""
    members = (Member(name=does, runtime="numpy", options={"does": does}),)
    return linear_bundle([1.0], name=does, members=members, **changes)


def save_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write the bundle into a folder that is made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
    return folder


def numbers(*rows: list[float]) -> Rows:
    """Return rows of the columns a, b, c, ..."""
    array = np.array(rows, dtype=np.float64)
    return Rows(tuple(chr(97 + index) for index in range(array.shape[1])), array)


class Shelf:
    """Artifacts by name, in folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opened: list[str] = []

    def add(self, bundle: Bundle) -> str:
        save_bundle(bundle, self.root / bundle.name)
        return bundle.name

    def open(self, artifact: str) -> Path:
        self.opened.append(artifact)
        if artifact == "damaged":
            raise DamagedArtifact("weights.safetensors is not what was approved")
        return self.root / artifact
