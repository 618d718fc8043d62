"""Several workers of a Ray cluster train one model together, joined by Ray Train.

The first one carries the training out as one machine alone would; whenever a network is to be
trained, it hands the lesson to all and learns with them. Ray Train starts them, joins them by gloo
or NCCL, and ends all when one goes away.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from inference.errors import BadInput, InferenceError, MissingFramework
from inference.training.backends.backend import TrainingLost, TrainingTask
from inference.training.backends.execution import find_recipe
from inference.training.backends.ray_work import import_ray, train_remotely
from inference.training.parallel.checkpoint import Checkpoint, checkpoint_file
from inference.training.parallel.crew import PEER_TIMEOUT_S
from inference.training.parallel.group import Distributed, Group
from inference.training.parallel.learn import Tell, learn
from inference.training.parallel.lesson import Diverged, Lesson, Weights
from inference.training.parallel.place import Place, check_place
from inference.training.parallel.team import Team
from inference.training.parallel.torch_here import require_torch
from inference.training.recipe import with_defaults


def place_on(resources: dict[str, float], task: TrainingTask) -> Place:
    """Return how many workers of a cluster a task wants, and on which device.

    Raises:
        BadInput: cards were asked for, and the cluster has too few; or an option is wrong.
    """
    options = with_defaults(find_recipe(task), task.options)
    workers, device = options.get("workers", 1), options.get("device", "cpu")
    check_place(workers, device)
    cards = int(resources.get("GPU", 0))
    if device == "cuda" and cards < workers:
        raise BadInput(
            f"the option 'device' is 'cuda' with {workers} worker(s), which need a card each; the "
            f"cluster has {cards}. 'auto' falls back to its CPUs"
        )
    # One worker of many recipes has no use for a card: it gets one if it is asked for by name.
    takes_cards = device == "cuda" or (device == "auto" and 1 < workers <= cards)
    return Place(workers, "cuda" if takes_cards else "cpu")


def train_together(
    encoded: bytes, snapshot: bytes, checkpoint: bytes, line: Any, place: Place
) -> tuple[bytes, bytes]:
    """Start the workers and wait for them; return outcome and packed artifact.

    Raises:
        TrainingLost: one of them went away.
        MissingFramework: the cluster has no torch.
    """
    ray = import_ray()
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: PLC0415 - an extra
        from ray.train.torch import TorchConfig, TorchTrainer  # noqa: PLC0415 - an extra
        from ray.train.v2.api.exceptions import TrainingFailedError  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingFramework("PyTorch or Ray Train", extra="ray,torch") from None
    task = msgspec.json.decode(encoded, type=TrainingTask)
    on_cards = place.device == "cuda"
    needs: dict[str, float] = {"CPU": task.threads}
    if on_cards:
        needs["GPU"] = 1
    if task.memory_bytes is not None:
        needs["memory"] = task.memory_bytes
    given = {
        "encoded": encoded,
        # In a list it stays a reference: only the first worker needs what is behind it.
        "files": [ray.put((snapshot, checkpoint))],
        "line": line,
        "place": msgspec.json.encode(place),
    }
    with tempfile.TemporaryDirectory(prefix="outcry-train-") as storage:
        trainer = TorchTrainer(
            work,
            train_loop_config=given,
            torch_config=TorchConfig(
                backend="nccl" if on_cards else "gloo", timeout_s=int(PEER_TIMEOUT_S)
            ),
            scaling_config=ScalingConfig(
                num_workers=place.workers, use_gpu=on_cards, resources_per_worker=needs
            ),
            run_config=RunConfig(
                name="outcry", storage_path=storage, failure_config=FailureConfig(max_failures=0)
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as failed:
            broke: Exception | None = failed
        else:
            broke = None
    result: tuple[bytes, bytes] | None = ray.get(line.result.remote())
    if result is None:
        raise TrainingLost(_cause(broke, place)) from broke
    return result


def work(given: dict[str, Any]) -> None:
    """Be one of the workers."""
    ray = import_ray()
    torch = require_torch()
    torch.set_num_threads(1)
    group = Distributed(torch)
    from ray.train.torch import get_device  # noqa: PLC0415 - an extra

    device = str(get_device())
    if group.rank > 0:
        follow(torch, group, device)
        return
    place = msgspec.json.decode(given["place"], type=Place)
    if place.device == "cuda":
        place = msgspec.structs.replace(place, card=torch.cuda.get_device_name(device))
    leader = Leader(torch, group, device, place)
    snapshot, checkpoint = ray.get(given["files"][0])
    line = given["line"]
    result = train_remotely(given["encoded"], snapshot, checkpoint, line, leader.open)
    ray.get(line.keep.remote(result))
    leader.end()


class Leader:
    """The first worker, on behalf of all. Implements `Team`."""

    def __init__(self, torch: Any, group: Group, device: str, place: Place) -> None:
        self._torch = torch
        self._group = group
        self._device = device
        self._in_step = True
        self.place = place

    @contextmanager
    def open(self, workers: int, device: str) -> Iterator[Team]:
        """Return itself: the workers are there already."""
        yield self

    def fit(self, lesson: Lesson, *, checkpoint: Path | None, tell: Tell) -> Weights:
        """Implement `Team`."""
        kept = checkpoint_file(checkpoint, lesson.digest())
        found = Checkpoint.read(kept)
        if found is not None and found.done:
            return found.weights
        self._send(lesson.to_bytes())
        self._in_step = False
        try:
            weights = learn(
                self._torch, lesson, device=self._device, group=self._group,
                checkpoint=kept, tell=tell,
            )  # fmt: skip
        except Diverged:
            # All workers saw the same sums, and wait for the next lesson.
            self._in_step = True
            raise
        self._in_step = True
        return weights

    def end(self) -> None:
        """Let the others go.

        Raises:
            TrainingLost: they wait in the middle of a step for what will not come: Ray ends them.
        """
        if not self._in_step:
            raise TrainingLost("the first worker of the training could not go on")
        self._send(b"")

    def _send(self, packed: bytes) -> None:
        torch = self._torch
        self._group.share(torch.tensor([len(packed)], device=self._device))
        if packed:
            data = torch.frombuffer(bytearray(packed), dtype=torch.uint8)
            self._group.share(data.to(self._device))


def follow(torch: Any, group: Group, device: str) -> None:
    """Learn with the first worker whatever it hands on, until it lets go."""
    while True:
        length = torch.zeros(1, dtype=torch.int64, device=device)
        group.share(length)
        if not length.item():
            return
        data = torch.zeros(int(length.item()), dtype=torch.uint8, device=device)
        group.share(data)
        lesson = Lesson.from_bytes(data.cpu().numpy().tobytes())
        try:
            learn(torch, lesson, device=device, group=group)
        except Diverged:
            continue  # the first worker says so


def _cause(broke: Exception | None, place: Place) -> str:
    """Return which worker went away first, as far as Ray knows: others only missed it."""
    failures: dict[int, Exception] = dict(getattr(broke, "worker_failures", {}))
    told = sorted(failures.items(), key=lambda one: isinstance(_root(one[1]), InferenceError))
    for rank, error in told:
        short = " ".join(str(_root(error)).split())[:200].rstrip(".")
        return (
            f"Worker {rank + 1} of {place.workers} of the training on the cluster went away: "
            f"{type(_root(error)).__name__}: {short}."
        )
    return f"The workers of the training on the cluster went away: {str(broke)[:300]}"


def _root(error: Exception) -> BaseException:
    return getattr(error, "cause", None) or error
