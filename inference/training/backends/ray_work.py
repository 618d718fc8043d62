"""What the machines of a Ray cluster do for a training: carry it out, and tell how far it is.

What a recipe writes as a checkpoint comes back while it works: another machine goes on from there.
"""

import io
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from inference.errors import MissingFramework
from inference.training.backends.backend import TrainingTask, model_folder, outcome_file
from inference.training.backends.execution import carry_out
from inference.training.parallel.team import OpenTeam, local_team

_CHECKPOINT_EVERY_S = 2.0
_MOST_BYTES = 512 * 1024**2
"""Of a checkpoint or a model on its way."""


class Line:
    """Between the training on the cluster and its driver; lives on the cluster."""

    def __init__(self) -> None:
        self._share, self._said = 0.0, ""
        self._checkpoint: bytes | None = None
        self._result: tuple[bytes, bytes] | None = None

    def tell(self, share: float, said: str, checkpoint: bytes | None) -> None:
        """Hear how far it is."""
        self._share, self._said = share, said
        if checkpoint is not None:
            self._checkpoint = checkpoint

    def take(self) -> tuple[float, str, bytes | None]:
        """Return the newest of it; a checkpoint once."""
        checkpoint, self._checkpoint = self._checkpoint, None
        return self._share, self._said, checkpoint

    def keep(self, result: tuple[bytes, bytes]) -> None:
        """Hear of the outcome and the packed artifact, from the first of several workers."""
        self._result = result

    def result(self) -> tuple[bytes, bytes] | None:
        """Return what was kept."""
        return self._result


def train_remotely(
    encoded: bytes, snapshot: bytes, checkpoint: bytes, line: Any, team: OpenTeam = local_team
) -> tuple[bytes, bytes]:
    """Carry the training out on a machine of the cluster; return outcome and packed artifact."""
    ray = import_ray()
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
        task = msgspec.structs.replace(task, memory_bytes=None, nice=0)
        carry_out(task, folder, progress, team=team)
        model = model_folder(folder)
        return outcome_file(folder).read_bytes(), pack(model) if model.exists() else b""


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


def import_ray() -> Any:
    """Return Ray.

    Raises:
        MissingFramework: it is not installed.
    """
    try:
        import ray  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise MissingFramework("Ray", extra="ray") from None
    return ray
