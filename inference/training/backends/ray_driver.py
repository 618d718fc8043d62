"""Trains one model on a Ray cluster: `python -m inference.training.backends.ray_driver`.

The dataset's numbers and this package go to the cluster with the task, so that its machines need
only Python, numpy and what the recipe needs. What they do stands in `ray_work.py`, and in
`ray_together.py` where several of them train together.
"""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

import inference
from inference.errors import InferenceError
from inference.training.backends.backend import (
    Outcome,
    TrainingLost,
    TrainingTask,
    model_folder,
    outcome_file,
    write_whole,
)
from inference.training.backends.execution import limit_threads, outcome_of
from inference.training.backends.ray_together import place_on, train_together
from inference.training.backends.ray_work import Line, import_ray, pack, train_remotely, unpack
from inference.training.backends.worker import main
from inference.training.parallel.place import Place
from inference.training.recipe import Progress

_LOOK_EVERY_S = 0.2


def carry_out_on_ray(task: TrainingTask, folder: Path, progress: Progress) -> Outcome:
    """Have the training carried out by the cluster at `RAY_ADDRESS`, and bring the model back.

    Raises:
        MissingFramework: Ray is not installed here.
        TrainingLost: the machine that trained went away.
    """
    ray = import_ray()
    address = os.environ.get("RAY_ADDRESS", "auto")
    progress(0.0, f"reaching the cluster at {address}")
    ray.init(
        address=address,
        namespace="outcry",
        log_to_driver=False,
        runtime_env={
            "py_modules": [str(Path(inference.__file__).parent)],
            "env_vars": limit_threads({}, task.threads),
        },
    )
    try:
        return _on_cluster(ray, task, folder, progress)
    finally:
        ray.shutdown()


def _on_cluster(ray: Any, task: TrainingTask, folder: Path, progress: Progress) -> Outcome:
    try:
        place = place_on(ray.cluster_resources(), task)
    except InferenceError as wrong:
        return _written(folder, outcome_of(wrong))
    line = ray.remote(num_cpus=0)(Line).remote()
    work = _begin(ray, task, folder, place, line)
    if place.workers > 1:
        progress(0.0, f"waiting for {place.workers} workers of the cluster")
    done: list[Any] = []
    while not done:
        done, _ = ray.wait([work], timeout=_LOOK_EVERY_S)
        try:
            share, said, checkpoint = ray.get(line.take.remote(), timeout=10)
        except ray.exceptions.RayError as lost:
            raise TrainingLost(f"The cluster does not answer: {_short(lost)}.") from lost
        if checkpoint is not None:
            unpack(checkpoint, folder / "checkpoint")
        if said:
            progress(share, said)
    try:
        encoded, model = ray.get(work)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as lost:
        raise TrainingLost(
            f"The machine of the cluster that trained it went away: {_short(lost)}."
        ) from lost
    except ray.exceptions.OutOfMemoryError:
        why = "The cluster's machine has too little memory for it."
        return _written(folder, Outcome(error=why, code="out_of_memory"))
    except ray.exceptions.RayTaskError as broken:
        if isinstance(broken.cause, TrainingLost):
            raise TrainingLost(str(broken.cause)) from broken
        if isinstance(broken.cause, InferenceError):
            return _written(folder, outcome_of(broken.cause))
        raise broken.as_instanceof_cause() from broken
    if model:
        unpack(model, model_folder(folder))
    return _written(folder, msgspec.json.decode(encoded, type=Outcome))


def _begin(ray: Any, task: TrainingTask, folder: Path, place: Place, line: Any) -> Any:
    """Send the task to the cluster; return the promise of outcome and packed artifact."""
    snapshot = b"" if task.snapshot is None else Path(task.snapshot).read_bytes()
    given = (msgspec.json.encode(task), snapshot, pack(folder / "checkpoint"), line)
    name = f"train {task.recipe}"
    if place.workers > 1:
        # It only waits for the workers, which take what they need.
        starter = ray.remote(num_cpus=0, max_retries=0)(train_together)
        return starter.options(name=name).remote(*given, place)
    needs: dict[str, Any] = {"num_cpus": task.threads, "max_retries": 0}
    if place.device == "cuda":
        needs["num_gpus"] = 1
    if task.memory_bytes is not None:
        needs["memory"] = task.memory_bytes
    return ray.remote(**needs)(train_remotely).options(name=name).remote(*given)


def _written(folder: Path, outcome: Outcome) -> Outcome:
    write_whole(outcome_file(folder), msgspec.json.encode(outcome))
    return outcome


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), carry_out_on_ray, here=False))
