"""One worker process of a crew: `python -m inference.training.parallel.member`.

It is told what to do in JSON lines on its standard input and answers in lines on its standard
output. It ends when its standard input does, whatever it is at: who started it is gone then.
"""

import os
import queue
import signal
import sys
import threading
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from inference.errors import InferenceError
from inference.training.parallel.group import Distributed, Group, peer_lost
from inference.training.parallel.learn import learn
from inference.training.parallel.lesson import CardFull, Lesson
from inference.training.parallel.torch_here import require_torch

ENDED = 4
"""The exit code of a worker whose starter is gone."""
_MEET_S = 240.0
"""How long all may take until they have met."""
_TELL_EVERY_S = 0.2


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: who this worker is among the others."""

    rank: int
    size: int
    device: str
    meet: str
    """A file through which they find each other."""
    peer_timeout_s: float


class Task(msgspec.Struct, frozen=True):
    """Every further line: what to learn."""

    lesson: str
    """Its folder."""
    checkpoint: str
    """Where the first worker leaves the weights, and what it needs to go on before that."""
    checkpoint_every_s: float


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that a worker says."""

    step: int = 0
    steps: int = 0
    is_done: bool = False
    error: str | None = None
    """The code of what went wrong."""
    words: str = ""
    on_card: bool = False


def main() -> int:
    """Learn what is asked for, until nobody asks any more."""
    # Libraries print what they like; the lines are ours alone.
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()

    def say(said: Said) -> None:
        lines.write(msgspec.json.encode(said) + b"\n")

    try:
        hello = msgspec.json.decode(asked.get(), type=Hello)
        torch = require_torch()
        group = _join(torch, hello)
        while True:
            task = msgspec.json.decode(asked.get(), type=Task)
            _learn(torch, task, hello, group, say)
    except BrokenPipeError:
        return ENDED
    except Exception as error:
        # The boundary of this process: the log gets the traceback, who started it a sentence.
        traceback.print_exc()
        say(_report(error))
        return 1


def _join(torch: Any, hello: Hello) -> Group:
    """Find the others.

    Raises:
        PeerLost: not all of them came.
    """
    torch.set_num_threads(1)
    on_card = hello.device != "cpu"
    if on_card:
        torch.cuda.set_device(hello.device)
    joined = torch.distributed
    try:
        store = joined.FileStore(hello.meet, hello.size)
        # Importing torch may take one of them much longer than a step may.
        store.set(f"here-{hello.rank}", "")
        store.wait([f"here-{rank}" for rank in range(hello.size)], timedelta(seconds=_MEET_S))
        joined.init_process_group(
            "nccl" if on_card else "gloo",
            store=store,
            rank=hello.rank,
            world_size=hello.size,
            timeout=timedelta(seconds=hello.peer_timeout_s),
        )
    except RuntimeError as broken:
        raise peer_lost(broken) from broken
    return Distributed(torch)


def _learn(torch: Any, task: Task, hello: Hello, group: Group, say: Any) -> None:
    told = [0.0]

    def tell(step: int, steps: int) -> None:
        if time.monotonic() - told[0] >= _TELL_EVERY_S:
            told[0] = time.monotonic()
            say(Said(step=step, steps=steps))

    learn(
        torch,
        Lesson.read(Path(task.lesson)),
        device=hello.device,
        group=group,
        checkpoint=Path(task.checkpoint),
        checkpoint_every_s=task.checkpoint_every_s,
        tell=tell,
    )
    say(Said(is_done=True))


def _report(error: Exception) -> Said:
    if isinstance(error, InferenceError):
        return Said(error=error.code, words=str(error), on_card=isinstance(error, CardFull))
    if isinstance(error, MemoryError):
        return Said(error="out_of_memory", words="a worker has too little memory for it")
    words = f"a worker of the training broke: {type(error).__name__}: {str(error)[:300]}"
    return Said(error="broken_worker", words=words)


def _listen(asked: "queue.SimpleQueue[bytes]") -> None:
    # Not through `sys.stdin`, whose lock the interpreter would miss at its own end.
    rest = b""
    while read := os.read(0, 65536):
        *whole, rest = (rest + read).split(b"\n")
        for line in whole:
            asked.put(line)
    os._exit(ENDED)


if __name__ == "__main__":
    sys.exit(main())
