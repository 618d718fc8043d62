"""A training process and its workers: progress, one that is killed, and going on with others."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inference.training.backends.backend import Outcome, TrainingLost, TrainingTask
from inference.training.backends.local import LocalBackend
from tests.unit.inference.training.backends.test_local import Heard, task_in

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def team_in(folder: Path, *, workers: int, **study: Any) -> TrainingTask:
    task = task_in(folder, workers=workers, device="cpu", study=study)
    return msgspec.structs.replace(task, recipe="team")


def line_of(outcome: Outcome) -> list[list[float]]:
    found: list[list[float]] = outcome.metrics["line"]
    return found


async def test_two_workers_leave_the_model_of_one(tmp_path: Path) -> None:
    heard = Heard()
    backend = LocalBackend()
    two = await backend.run(team_in(tmp_path, workers=2, step_s=0.02), tmp_path / "two", heard)
    one = await backend.run(team_in(tmp_path, workers=1), tmp_path / "one", Heard())

    np.testing.assert_allclose(line_of(two), line_of(one), atol=1e-5)
    assert two.metrics["computedWith"] == {"workers": 2, "device": "cpu", "card": None}
    said = [words for _, words in heard]
    assert "learning a line, 2 workers on the CPU" in said
    assert any(
        words.startswith("learning a line, step ") and words.endswith("of 70, 2 workers on the CPU")
        for words in said
    )


async def test_a_worker_that_is_killed_is_told_and_the_training_can_go_on_with_one(
    tmp_path: Path,
) -> None:
    task = team_in(tmp_path, workers=2, behaviour="dies", of=1, at=30)
    with pytest.raises(TrainingLost, match="Worker 2 of 2 of the training was killed"):
        await LocalBackend().run(task, tmp_path / "one", Heard())

    task = team_in(tmp_path, workers=1)
    outcome = await LocalBackend().run(task, tmp_path / "one", Heard())

    assert outcome.metrics["computedWith"]["workers"] == 1


async def test_cancelling_ends_the_workers_too(tmp_path: Path) -> None:
    learning = asyncio.Event()

    async def on_progress(share: float, said: str) -> None:
        if " step " in said:
            learning.set()

    task = team_in(tmp_path, workers=2, epochs=100_000, step_s=0.02)
    work = asyncio.create_task(LocalBackend().run(task, tmp_path / "one", on_progress))
    async with asyncio.timeout(120):
        await learning.wait()
        before = workers_of(os.getpid())
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert len(before) == 2
        await asyncio.to_thread(wait_for_the_end_of, before)


def workers_of(pid: int) -> list[int]:
    """Return the workers that the training processes of a process have started."""
    return [
        worker
        for process in children(pid)
        if b"backends.worker" in Path(f"/proc/{process}/cmdline").read_bytes()
        for worker in children(process)
    ]


def children(pid: int) -> list[int]:
    """Return the processes that were started by a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


def wait_for_the_end_of(pids: list[int]) -> None:
    """Return when none of the processes is there any more; the test's own deadline ends it."""
    pause = threading.Event()
    while any(alive(pid) for pid in pids):
        pause.wait(0.02)


def alive(pid: int) -> bool:
    """Tell whether a process is there; a zombie is not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
