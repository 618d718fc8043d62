"""Trainings in a process of their own, on this machine or on a cluster that it drives.

The server's loop only reads lines. The process ends with whoever started it, and at once when its
training is not wanted any more; what it had done stands in its folder.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path

import msgspec

from inference.training.backends.backend import (
    OnProgress,
    Outcome,
    TrainingFailed,
    TrainingLost,
    TrainingTask,
    lost_file,
    read_outcome,
    task_file,
    write_whole,
)
from inference.training.backends.execution import limit_threads
from inference.training.backends.worker import BUSY, LOST, Told

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_PASSED_ON_BEGINNINGS = ("LC_", "PYTHON", "CUDA_", "NVIDIA_", "HF_HOME", "XDG_CACHE")
_END_S = 5.0
_told = msgspec.json.Decoder(Told)


class LocalBackend:
    """Implements `inference.training.backends.backend.Backend`."""

    name = "local"
    module = "inference.training.backends.worker"
    """What the process runs."""

    def __init__(
        self, *, environment: Mapping[str, str] | None = None, python: str = sys.executable
    ) -> None:
        self._python = python
        self._environment = plain_environment(os.environ if environment is None else environment)

    async def run(self, task: TrainingTask, folder: Path, on_progress: OnProgress) -> Outcome:
        """Train in a new process.

        Raises:
            TrainingFailed: there will be no model; the message says why.
            TrainingLost: the process died before the end.
        """
        if (done := await asyncio.to_thread(read_outcome, folder)) is not None:
            return done
        await asyncio.to_thread(write_whole, task_file(folder), msgspec.json.encode(task))
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                self._python,
                "-m",
                self.module,
                str(folder),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env=limit_threads(self._environment, task.threads),
                # Ctrl-C at the terminal is for the server, which then says what is to end.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(task.limit_s):
                await _follow(process, on_progress)
                code = await process.wait()
        except TimeoutError:
            raise TrainingFailed(
                f"It took longer than {task.limit_s / 3600:.1f} hours and was ended."
            ) from None
        finally:
            await _end(process)
        if (done := await asyncio.to_thread(read_outcome, folder)) is not None:
            return done
        raise TrainingLost(await asyncio.to_thread(_lost, code, folder))


async def _follow(process: Process, on_progress: OnProgress) -> None:
    """Tell every line until there are no more."""
    stdout = process.stdout
    if stdout is None:
        raise RuntimeError("the process has no output to read")
    while line := await stdout.readline():
        told = _told.decode(line)
        await on_progress(told.share, told.said)


async def _end(process: Process) -> None:
    """See the process gone, whatever it is at."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is not None:
        return
    process.kill()
    async with asyncio.timeout(_END_S):
        await process.wait()


def _lost(code: int, folder: Path) -> str:
    if code == BUSY:
        return "Another process is still training in the same folder."
    if code == LOST:
        return lost_file(folder).read_text()
    if code < 0:
        return f"The training process was killed (signal {-code}), perhaps for want of memory."
    return f"The training process ended with code {code} and left no outcome."


def plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a training may see of an environment: no keys, no passwords."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_BEGINNINGS)
    }


def forget(folder: Path) -> None:
    """Remove a training's folder."""
    shutil.rmtree(folder, ignore_errors=True)
