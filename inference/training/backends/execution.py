"""Carries a training out in this process, from its task to its outcome, wherever that process is.

The recipe gets its data out of the dataset's file, which has to be what its manifest says.
"""

import importlib
import resource
import shutil
import time
from pathlib import Path

import msgspec

from inference.datasets.snapshots import read_snapshot
from inference.datasets.table_data import TableData, read_table
from inference.datasets.texts import Texts, read_texts
from inference.errors import BadInput, InferenceError, WorkerLost
from inference.panel import Panel
from inference.training.backends.backend import (
    Outcome,
    TrainingLost,
    TrainingTask,
    model_folder,
    outcome_file,
    write_whole,
)
from inference.training.evaluation.comparison import LOSSES_FILE
from inference.training.parallel.team import OpenTeam, local_team
from inference.training.recipe import Progress, Recipe, TextData, TrainingData

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def carry_out(
    task: TrainingTask, folder: Path, progress: Progress, *, team: OpenTeam = local_team
) -> Outcome:
    """Train and write model and outcome; an error that was foreseen becomes the outcome too.

    Args:
        team: opens the workers that train networks.

    Raises:
        Cancelled: `progress` said so; nothing is written.
        TrainingLost: a worker of the team went away; nothing is written but its checkpoint.
    """
    began = time.monotonic()
    try:
        outcome = _train(task, folder, progress, began, team)
    except WorkerLost as lost:
        raise TrainingLost(_sentence(str(lost))) from lost
    except InferenceError as error:
        outcome = outcome_of(error)
    except MemoryError:
        outcome = Outcome(error=_too_large(task), code="out_of_memory")
    write_whole(outcome_file(folder), msgspec.json.encode(outcome))
    return outcome


def _train(
    task: TrainingTask, folder: Path, progress: Progress, began: float, team: OpenTeam
) -> Outcome:
    recipe = find_recipe(task)
    progress(0.0, "reading the data")
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    data = TrainingData(
        panel=_panel(task),
        texts=_texts(task),
        table=_table(task),
        as_of=task.as_of,
        seed=task.seed,
        checkpoint=checkpoint,
        team=team,
    )
    trained = recipe.train(data, task.options, progress)
    target = model_folder(folder)
    half = target.with_name("model.partial")
    for old in (half, target):
        shutil.rmtree(old, ignore_errors=True)
    half.mkdir(parents=True)
    trained.write(half)
    if trained.losses is not None:
        (half / LOSSES_FILE).write_bytes(trained.losses.to_bytes())
    half.rename(target)
    return Outcome(
        name=trained.bundle.name,
        evaluation=trained.evaluation,
        performance=trained.performance,
        parameters=trained.parameters,
        notes=trained.notes,
        metrics=trained.metrics,
        seconds=time.monotonic() - began,
        peak_bytes=_peak_bytes(),
    )


def outcome_of(error: InferenceError) -> Outcome:
    """Return what becomes of a training that cannot be done, in words for people."""
    return Outcome(error=_sentence(str(error)), code=error.code)


def find_recipe(task: TrainingTask) -> Recipe:
    """Return the recipe of a task.

    Raises:
        BadInput: there is none of that name.
    """
    recipes: dict[str, Recipe] = importlib.import_module(task.catalog).RECIPES
    if task.recipe not in recipes:
        raise BadInput(f"there is no recipe {task.recipe!r}; there are: {', '.join(recipes)}")
    return recipes[task.recipe]


def limit_threads(environment: dict[str, str], threads: int) -> dict[str, str]:
    """Return an environment in which arithmetic uses so many threads."""
    return {**environment, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def _panel(task: TrainingTask) -> Panel | None:
    if task.snapshot is None or task.manifest is None:
        return None
    return read_snapshot(Path(task.snapshot), task.manifest)


def _texts(task: TrainingTask) -> TextData | None:
    if task.snapshot is None or task.texts is None:
        return None
    read = read_texts(Path(task.snapshot), task.texts)
    return TextData(read.texts, read.labels, read.times or None, read.groups or None, read.numbers)


def _table(task: TrainingTask) -> TableData | None:
    if task.snapshot is None or task.table is None:
        return None
    return read_table(Path(task.snapshot), task.table)


def texts_of(data: TextData) -> Texts:
    """Return what a recipe learns from as what is recorded of it."""
    return Texts(
        texts=data.texts,
        labels=data.labels,
        times=data.times or (),
        groups=data.groups or (),
        numbers=dict(data.numbers),
    )


def _peak_bytes() -> int:
    """Return the most memory this program had; `getrusage` would count who started it too."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def _too_large(task: TrainingTask) -> str:
    if task.memory_bytes is None:
        return "The machine has too little memory for it."
    return (
        f"It needs more than {task.memory_bytes / 1024**3:.1f} GiB of memory; "
        "OUTCRY_TRAIN_MEMORY_MIB allows more."
    )


def _sentence(text: str) -> str:
    """Return an error's message as a sentence."""
    text = text.strip() or "it failed without a word"
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
