"""A process that trains one model: `python -m inference.training.backends.worker FOLDER`.

It tells its progress in JSON lines on its standard output, keeps everything else in the folder,
and ends when its standard input does: whoever wanted the model is gone then.
"""

import fcntl
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from inference.training.backends.backend import (
    Outcome,
    TrainingLost,
    TrainingTask,
    lost_file,
    outcome_file,
    task_file,
    write_whole,
)
from inference.training.backends.execution import carry_out
from inference.training.recipe import Cancelled, Progress

DONE, NO_MODEL, BUSY, ABANDONED, LOST = 0, 1, 3, 4, 5
"""Exit codes: an outcome stands there; it says why there is no model; another process has the
folder; whoever wanted the model is gone; a worker or machine that trained is gone, and the folder's
`lost` says which."""
_PATIENCE_S = 10.0


class Told(msgspec.Struct, frozen=True):
    """One line on the standard output."""

    share: float
    said: str


CarryOut: TypeAlias = Callable[[TrainingTask, Path, Progress], Outcome]


def main(folder: Path, carry: CarryOut = carry_out, *, here: bool = True) -> int:
    """Train what the folder's task says; return the exit code.

    Args:
        here: the training itself happens in this process, which takes the task's limits.
    """
    # Recipes and libraries print what they like; the lines are ours alone.
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    task = msgspec.json.decode(task_file(folder).read_bytes(), type=TrainingTask)
    if here and task.nice:
        os.nice(task.nice)
    if here and task.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (task.memory_bytes, task.memory_bytes))
    with (folder / "lock").open("wb") as lock:
        if not _take(lock):
            return BUSY
        if outcome_file(folder).exists():
            return DONE
        return _carry_out(task, folder, lines, carry)


def _carry_out(task: TrainingTask, folder: Path, lines: BinaryIO, carry: CarryOut) -> int:
    def progress(share: float, said: str) -> None:
        try:
            lines.write(msgspec.json.encode(Told(share, said)) + b"\n")
        except BrokenPipeError:
            raise Cancelled from None

    try:
        outcome = carry(task, folder, progress)
    except Cancelled:
        return ABANDONED
    except TrainingLost as lost:
        traceback.print_exc()
        write_whole(lost_file(folder), str(lost).encode())
        return LOST
    except Exception as bug:
        # The boundary of this process: the log gets the traceback, people a sentence.
        traceback.print_exc()
        outcome = Outcome(
            error=f"The recipe broke: {type(bug).__name__}: {str(bug)[:300]}", code="broken_recipe"
        )
        write_whole(outcome_file(folder), msgspec.json.encode(outcome))
    return DONE if outcome.error is None else NO_MODEL


def _take(lock: BinaryIO) -> bool:
    """Take the folder; a process that was abandoned needs a moment to notice."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        else:
            return True


def _end_with_stdin() -> None:
    # Not through `sys.stdin`, whose lock the interpreter would miss at its own end.
    while os.read(0, 4096):
        pass
    os._exit(ABANDONED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
