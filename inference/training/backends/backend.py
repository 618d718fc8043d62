"""What a training is, to whoever runs it: a task in a folder, and the outcome it leaves there.

```
FOLDER/task.json      what to do
FOLDER/checkpoint/    what the recipe left to go on from
FOLDER/model/         the artifact, once there is one
FOLDER/outcome.json   written last: the card's numbers, or why there is no model
FOLDER/lost           instead of it: which part of the training went away
FOLDER/log            what the process wrote on its standard error
```

A training that is run again in the same folder goes on from its checkpoint, or is found done.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from inference.cards import Evaluation, ModelParameters, ModelPerformance
from inference.datasets.table_data import TablePlan
from inference.datasets.texts import TextsManifest
from inference.datasets.versions import BarsManifest
from inference.errors import InferenceError, NotAnswered

CATALOG = "inference.training.catalog"


class TrainingFailed(InferenceError):
    """There is no model, and trying again would not give one."""

    code = "training_failed"


class TrainingLost(NotAnswered):
    """The process that trained went away; trying again may help."""

    code = "training_lost"


class TrainingTask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a process needs to know to train one model."""

    recipe: str
    options: dict[str, Any]
    as_of: datetime
    seed: int = 0
    snapshot: str | None = None
    """The file of the dataset's version."""
    manifest: BarsManifest | None = None
    """What has to be in it, where it holds bars."""
    texts: TextsManifest | None = None
    """What has to be in it, where it holds labelled texts."""
    table: TablePlan | None = None
    """What has to be in it, where it holds a collected table."""
    catalog: str = CATALOG
    """The module whose `RECIPES` has the recipe."""
    threads: int = 1
    """For arithmetic; the same number gives the same model to the last bit."""
    nice: int = 0
    memory_bytes: int | None = None
    limit_s: float = 6 * 3600.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came out of a training."""

    error: str | None = None
    """Why there is no model, in words for people; everything below is absent then."""
    code: str | None = None
    name: str = ""
    """Of the model, from its bundle."""
    evaluation: Evaluation | None = None
    performance: ModelPerformance = ModelPerformance()
    parameters: ModelParameters = ModelParameters()
    notes: tuple[str, ...] = ()
    metrics: dict[str, Any] = {}
    seconds: float = 0.0
    """How long it took, of this attempt."""
    peak_bytes: int = 0
    """The most memory the process had."""


OnProgress: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Takes the share that is done and what is being done; may raise to end the training."""


class Backend(Protocol):
    """One way to run a training."""

    @property
    def name(self) -> str: ...

    async def run(self, task: TrainingTask, folder: Path, on_progress: OnProgress) -> Outcome:
        """Train, and leave the model in `folder`; whatever `on_progress` raises ends it at once.

        Raises:
            TrainingFailed: there will be no model; the message says why.
            TrainingLost: whoever trained went away before the end.
        """
        ...


def task_file(folder: Path) -> Path:
    """Return where the task stands."""
    return folder / "task.json"


def outcome_file(folder: Path) -> Path:
    """Return where the outcome will stand."""
    return folder / "outcome.json"


def lost_file(folder: Path) -> Path:
    """Return where it stands why a training was lost, if its process could still say so."""
    return folder / "lost"


def model_folder(folder: Path) -> Path:
    """Return where the artifact will stand."""
    return folder / "model"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def read_outcome(folder: Path) -> Outcome | None:
    """Return the outcome of a training that has ended; None while there is none.

    Raises:
        TrainingFailed: it ended without a model; the message says why.
    """
    try:
        data = outcome_file(folder).read_bytes()
    except FileNotFoundError:
        return None
    outcome = msgspec.json.decode(data, type=Outcome)
    if outcome.error is not None:
        raise TrainingFailed(outcome.error)
    return outcome
