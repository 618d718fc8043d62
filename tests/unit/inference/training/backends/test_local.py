"""A training in a process of its own: its model, its failures, its end, and going on again."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inference.bundle import read_bundle
from inference.datasets.snapshots import write_snapshot
from inference.datasets.versions import manifest_of
from inference.training.backends.backend import (
    TrainingFailed,
    TrainingLost,
    TrainingTask,
    model_folder,
    read_outcome,
    task_file,
    write_whole,
)
from inference.training.backends.local import LocalBackend, plain_environment
from inference.training.backends.worker import ABANDONED
from inference.training.evaluation.comparison import LOSSES_FILE, CaseLosses
from tests.fakes.panels import random_panel


def task_in(folder: Path, *, seed: int = 0, **options: Any) -> TrainingTask:
    panel = random_panel(("AAA", "BBB"), 200)
    manifest = manifest_of(panel)
    path = write_snapshot(folder / "datasets", panel, manifest)
    return TrainingTask(
        recipe="echo",
        options=options,
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        seed=seed,
        snapshot=str(path),
        manifest=manifest,
        catalog="tests.fakes.recipes",
    )


class Heard(list[tuple[float, str]]):
    """What was told; ends the training at a step, if that is wanted."""

    def __init__(self, *, until: int | None = None) -> None:
        super().__init__()
        self.until = until

    async def __call__(self, share: float, said: str) -> None:
        self.append((share, said))
        if self.until is not None and len(self) >= self.until:
            raise KeyError("enough")


async def test_a_training_leaves_an_artifact_and_a_card(tmp_path: Path) -> None:
    heard = Heard()
    outcome = await LocalBackend().run(task_in(tmp_path), tmp_path / "one", heard)

    assert outcome.name == "echo-1"
    assert outcome.evaluation is not None
    assert outcome.evaluation.n == 2 * (199 - 51)
    assert heard[0] == (0.0, "reading the data")
    assert heard[-1] == (0.95, "step 20 of 20")
    folder = model_folder(tmp_path / "one")
    assert read_bundle((folder / "bundle.json").read_bytes()).name == "echo-1"
    assert len(CaseLosses.read(str(folder / LOSSES_FILE)).losses) == outcome.evaluation.n


async def test_the_same_seed_gives_the_same_model_to_the_last_bit(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        await LocalBackend().run(task_in(tmp_path, seed=seed), tmp_path / name, Heard())

    def files(name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in model_folder(tmp_path / name).iterdir()}

    assert files("one") == files("two")
    assert files("one") != files("three")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"behaviour": "bad_input"}, "The recipe 'echo' was told to refuse."),
        ({"behaviour": "broken"}, "ZeroDivisionError: a bug"),
        ({"nonsense": 1}, "no option 'nonsense'"),
    ],
)
async def test_a_failure_says_why(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainingFailed, match=says):
        await LocalBackend().run(task_in(tmp_path, **options), tmp_path / "one", Heard())
    with pytest.raises(TrainingFailed, match=says):
        read_outcome(tmp_path / "one")


async def test_a_recipe_that_nobody_has_is_named(tmp_path: Path) -> None:
    task = msgspec.structs.replace(task_in(tmp_path), recipe="alchemy")

    with pytest.raises(TrainingFailed, match="'alchemy'; there are: echo"):
        await LocalBackend().run(task, tmp_path / "one", Heard())


async def test_a_training_may_not_take_more_memory_than_is_allowed(tmp_path: Path) -> None:
    task = msgspec.structs.replace(task_in(tmp_path, behaviour="greedy"), memory_bytes=2 * 1024**3)

    with pytest.raises(TrainingFailed, match=r"more than 2\.0 GiB"):
        await LocalBackend().run(task, tmp_path / "one", Heard())


async def test_a_dataset_that_was_changed_is_not_learned_from(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    write_whole(Path(task.snapshot or ""), b"other prices")

    with pytest.raises(TrainingFailed, match="cannot be read"):
        await LocalBackend().run(task, tmp_path / "one", Heard())


async def test_a_training_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    task = msgspec.structs.replace(task_in(tmp_path, behaviour="hangs"), limit_s=2.0)

    with pytest.raises(TrainingFailed, match="longer than"):
        await LocalBackend().run(task, tmp_path / "one", Heard())


async def test_a_process_that_was_killed_is_lost_and_goes_on_when_run_again(
    tmp_path: Path,
) -> None:
    task = task_in(tmp_path, behaviour="dies_once")
    with pytest.raises(TrainingLost, match="signal 9"):
        await LocalBackend().run(task, tmp_path / "one", Heard())

    outcome = await LocalBackend().run(task, tmp_path / "one", Heard())

    assert outcome.name == "echo-1"


async def test_a_training_that_was_ended_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    task = task_in(tmp_path, step_s=0.05)
    with pytest.raises(KeyError, match="enough"):
        await LocalBackend().run(task, tmp_path / "one", Heard(until=8))

    heard = Heard()
    outcome = await LocalBackend().run(task, tmp_path / "one", heard)

    assert outcome.notes != ("went on from step 0",)
    assert len(heard) < 20


async def test_a_training_that_was_done_is_found_done(tmp_path: Path) -> None:
    first = await LocalBackend().run(task_in(tmp_path), tmp_path / "one", Heard())
    heard = Heard()

    assert await LocalBackend().run(task_in(tmp_path), tmp_path / "one", heard) == first
    assert heard == []


async def test_cancelling_ends_the_process_at_once(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def on_progress(share: float, said: str) -> None:
        began.set()

    folder = tmp_path / "one"
    work = asyncio.create_task(
        LocalBackend().run(task_in(tmp_path, behaviour="hangs"), folder, on_progress)
    )
    async with asyncio.timeout(20):
        await began.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    # Only a process that is gone lets go of the lock.
    outcome = await LocalBackend().run(task_in(tmp_path), folder, Heard())
    assert outcome.name == "echo-1"


def test_a_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_whole(task_file(folder), msgspec.json.encode(task_in(tmp_path, behaviour="hangs")))
    with subprocess.Popen(
        [sys.executable, "-m", "inference.training.backends.worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=plain_environment(os.environ),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()

        assert process.wait(10) == ABANDONED


def test_a_training_sees_no_keys() -> None:
    seen = plain_environment(
        {"PATH": "/bin", "OPENAI_API_KEY": "sk", "DATABASE_URL": "x", "LC_ALL": "C"}
    )

    assert seen == {"PATH": "/bin", "LC_ALL": "C"}


def test_an_interrupt_at_the_terminal_is_for_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_whole(task_file(folder), msgspec.json.encode(task_in(tmp_path, step_s=0.02)))
    with subprocess.Popen(
        [sys.executable, "-m", "inference.training.backends.worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=plain_environment(os.environ),
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()

        assert process.wait(10) == 0
