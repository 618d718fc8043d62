"""Trains one model on a Ray cluster: `python -m inference.training.backends.ray_driver`.

The dataset's numbers and this package go to the cluster with the task, so that its machines need
only Python, numpy and what the recipe needs. What the recipe writes as a checkpoint comes back
while it works: another machine goes on from there.
"""

import io
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

import inference
from inference.errors import MissingFramework
from inference.training.backends.backend import (
    Outcome,
    TrainingLost,
    TrainingTask,
    model_folder,
    outcome_file,
    write_whole,
)
from inference.training.backends.execution import carry_out, limit_threads
from inference.training.backends.worker import main
from inference.training.recipe import Progress

_LOOK_EVERY_S = 0.2
_CHECKPOINT_EVERY_S = 2.0
_MOST_BYTES = 512 * 1024**2
"""Of a checkpoint or a model on its way."""


def carry_out_on_ray(task: TrainingTask, folder: Path, progress: Progress) -> Outcome:
    """Have the training carried out by the cluster at `RAY_ADDRESS`, and bring the model back.

    Raises:
        MissingFramework: Ray is not installed here.
        TrainingLost: the machine that trained went away.
    """
    ray = _ray()
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
    line = ray.remote(num_cpus=0)(Line).remote()
    snapshot = b"" if task.snapshot is None else Path(task.snapshot).read_bytes()
    needs = {"num_cpus": task.threads, "max_retries": 0}
    if task.memory_bytes is not None:
        needs["memory"] = task.memory_bytes
    work = (
        ray.remote(**needs)(train_remotely)
        .options(name=f"train {task.recipe}")
        .remote(
            msgspec.json.encode(task),
            snapshot,
            pack(folder / "checkpoint"),
            line,
        )
    )
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
        outcome = Outcome(
            error="The cluster's machine has too little memory for it.", code="out_of_memory"
        )
        encoded, model = msgspec.json.encode(outcome), b""
    except ray.exceptions.RayTaskError as broken:
        raise broken.as_instanceof_cause() from broken
    if model:
        unpack(model, model_folder(folder))
    write_whole(outcome_file(folder), encoded)
    return msgspec.json.decode(encoded, type=Outcome)


class Line:
    """Between the training on the cluster and its driver; lives on the cluster."""

    def __init__(self) -> None:
        self._share, self._said = 0.0, ""
        self._checkpoint: bytes | None = None

    def tell(self, share: float, said: str, checkpoint: bytes | None) -> None:
        """Hear how far it is."""
        self._share, self._said = share, said
        if checkpoint is not None:
            self._checkpoint = checkpoint

    def take(self) -> tuple[float, str, bytes | None]:
        """Return the newest of it; a checkpoint once."""
        checkpoint, self._checkpoint = self._checkpoint, None
        return self._share, self._said, checkpoint


def train_remotely(
    encoded: bytes, snapshot: bytes, checkpoint: bytes, line: Any
) -> tuple[bytes, bytes]:
    """Carry the training out on a machine of the cluster; return outcome and packed artifact."""
    ray = _ray()
    task = msgspec.json.decode(encoded, type=TrainingTask)
    with tempfile.TemporaryDirectory(prefix="outcry-training-") as name:
        folder = Path(name)
        if task.snapshot is not None:
            path = folder / "dataset.zst"
            path.write_bytes(snapshot)
            task = msgspec.structs.replace(task, snapshot=str(path))
        unpack(checkpoint, folder / "checkpoint")
        sent = [time.monotonic()]

        def progress(share: float, said: str) -> None:
            left: bytes | None = None
            if time.monotonic() - sent[0] > _CHECKPOINT_EVERY_S:
                left, sent[0] = pack(folder / "checkpoint"), time.monotonic()
            # Waited for, so that a training whose driver is gone ends here.
            ray.get(line.tell.remote(share, said, left))

        # A cluster's process serves others afterwards: it keeps no limits of ours.
        carry_out(msgspec.structs.replace(task, memory_bytes=None, nice=0), folder, progress)
        model = model_folder(folder)
        return outcome_file(folder).read_bytes(), pack(model) if model.exists() else b""


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


def pack(folder: Path) -> bytes:
    """Return a folder's files as one tar, the same for the same files.

    Raises:
        ValueError: it is too large to travel.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(folder.rglob("*")) if folder.exists() else ():
            if path.is_file():
                tar.add(path, arcname=path.relative_to(folder).as_posix())
    if packed.tell() > _MOST_BYTES:
        raise ValueError(f"{folder.name} has more than {_MOST_BYTES >> 20} MiB")
    return packed.getvalue()


def unpack(packed: bytes, folder: Path) -> None:
    """Write a tar's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if packed:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(folder, filter="data")


def _ray() -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise MissingFramework("Ray", extra="ray") from None
    return ray


if __name__ == "__main__":
    # By its proper name: the cluster's machines import what this file defines.
    from inference.training.backends import ray_driver

    sys.exit(main(Path(sys.argv[1]), ray_driver.carry_out_on_ray, here=False))
