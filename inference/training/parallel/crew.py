"""Worker processes of one machine: started at the first lesson, watched, and ended together.

Nobody waits for a worker that is gone: the first that ends, or says that it cannot go on, ends all,
and the error says which one it was and how it went. Workers end with the process that started them.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from inference.errors import BadInput, InferenceError, WorkerLost
from inference.training.parallel.checkpoint import Checkpoint, checkpoint_file
from inference.training.parallel.learn import CHECKPOINT_EVERY_S, Tell
from inference.training.parallel.lesson import CardFull, Diverged, Lesson, Weights
from inference.training.parallel.member import ENDED, Hello, Said, Task
from inference.training.parallel.place import Place

PEER_TIMEOUT_S = 120.0
"""How long a worker waits for the others at a step."""
SILENCE_S = 300.0
"""How long nobody may say anything, the start with its imports included."""
_GRACE_S = 3.0
"""When one reports that another is gone: how long to find out which, and why."""
_END_S = 5.0
_said = msgspec.json.Decoder(Said)
_ERRORS: dict[str, type[InferenceError]] = {
    kind.code: kind for kind in (BadInput, Diverged, CardFull)
}


class Crew:
    """Several processes that learn one lesson after another. Implements `Team`."""

    def __init__(
        self,
        place: Place,
        *,
        peer_timeout_s: float = PEER_TIMEOUT_S,
        silence_s: float = SILENCE_S,
        checkpoint_every_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self.place = place
        self._peer_timeout_s = peer_timeout_s
        self._silence_s = silence_s
        self._checkpoint_every_s = checkpoint_every_s
        self._folder = tempfile.TemporaryDirectory(prefix="outcry-crew-")
        self._members: list[subprocess.Popen[bytes]] = []
        self._listeners: list[threading.Thread] = []
        self._heard: queue.SimpleQueue[tuple[int, Said | None]] = queue.SimpleQueue()
        self._lessons = 0

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._folder.cleanup()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers, the first one first."""
        return [member.pid for member in self._members]

    def fit(self, lesson: Lesson, *, checkpoint: Path | None, tell: Tell) -> Weights:
        """Implement `Team`."""
        root = Path(self._folder.name)
        kept = checkpoint_file(checkpoint or root, lesson.digest())
        found = Checkpoint.read(kept)
        if found is None or not found.done:
            self._lessons += 1
            folder = root / f"lesson-{self._lessons}"
            lesson.write(folder)
            try:
                self._learn(Task(str(folder), str(kept), self._checkpoint_every_s), tell)
            except BaseException:
                self._end()
                raise
            found = Checkpoint.read(kept)
        if found is None or not found.done:
            raise WorkerLost("the workers of the training say that they are done and left nothing")
        return found.weights

    def _learn(self, task: Task, tell: Tell) -> None:
        if not self._members:
            self._start()
        for rank in range(len(self._members)):
            self._tell(rank, task)
        done: set[int] = set()
        while len(done) < len(self._members):
            try:
                rank, said = self._heard.get(timeout=self._silence_s)
            except queue.Empty:
                raise WorkerLost(
                    f"no worker of the training said anything for {self._silence_s:g} s"
                ) from None
            if said is None or said.error is not None:
                raise self._cause(rank, said)
            if said.is_done:
                done.add(rank)
            else:
                tell(said.step, said.steps)

    def _start(self) -> None:
        # Another one each time: a crew that was ended has left its marks in the old one.
        meet = Path(self._folder.name) / f"meet-{self._lessons}"
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            # They meet on this machine and nowhere else.
            "GLOO_SOCKET_IFNAME": "lo",
            "NCCL_SOCKET_IFNAME": "lo",
        }
        for rank in range(self.place.workers):
            member = subprocess.Popen(
                [sys.executable, "-m", "inference.training.parallel.member"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                bufsize=0,
            )
            self._members.append(member)
            listener = threading.Thread(
                target=_listen, args=(rank, _pipe(member.stdout), self._heard), daemon=True
            )
            listener.start()
            self._listeners.append(listener)
            hello = Hello(
                rank=rank,
                size=self.place.workers,
                device=self.place.device_of(rank),
                meet=str(meet),
                peer_timeout_s=self._peer_timeout_s,
            )
            self._tell(rank, hello)

    def _tell(self, rank: int, what: Hello | Task) -> None:
        try:
            _pipe(self._members[rank].stdin).write(msgspec.json.encode(what) + b"\n")
        except BrokenPipeError:
            raise self._cause(rank, None) from None

    def _cause(self, rank: int, said: Said | None) -> Exception:
        """Return why the workers cannot go on, in the words of whoever was first.

        Workers that wait for one that is gone report that sooner, at times, than its end is seen.
        """
        reports = {rank: said}
        until = time.monotonic() + _GRACE_S
        while all(_is_about_others(one) for one in reports.values()):
            try:
                rank, said = self._heard.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if said is None or said.error is not None:
                reports.setdefault(rank, said)
        for rank, said in reports.items():
            if said is None:
                return WorkerLost(self._end_of(rank))
        told = [one for one in reports.values() if one is not None]
        first = next((one for one in told if not _is_about_others(one)), told[0])
        if first.error == "out_of_memory" and not first.on_card:
            return MemoryError(first.words)
        if first.error == "broken_worker":
            return RuntimeError(first.words)
        return _ERRORS.get(first.error or "", WorkerLost)(first.words)

    def _end_of(self, rank: int) -> str:
        who = f"worker {rank + 1} of {self.place.workers} of the training"
        try:
            code = self._members[rank].wait(_END_S)
        except subprocess.TimeoutExpired:
            return f"{who} closed its line and did not end"
        if code < 0:
            name = signal.Signals(-code).name
            # NCCL ends a worker that waited too long for another one.
            perhaps = "waiting in vain for another" if name == "SIGABRT" else "want of memory"
            return f"{who} was killed (signal {-code}, {name}), perhaps for {perhaps}"
        return f"{who} ended with code {code}" + (
            " because it heard no more of the others" if code == ENDED else ""
        )

    def _end(self) -> None:
        """See all processes gone."""
        for member in self._members:
            member.kill()
        for member, listener in zip(self._members, self._listeners, strict=False):
            member.wait(_END_S)
            listener.join(_END_S)
            for pipe in (member.stdin, member.stdout):
                if pipe is not None:
                    pipe.close()
        self._members, self._listeners = [], []
        self._heard = queue.SimpleQueue()


def _listen(
    rank: int, lines: IO[bytes], heard: "queue.SimpleQueue[tuple[int, Said | None]]"
) -> None:
    """Pass on what a worker says; None is its end."""
    for line in lines:
        heard.put((rank, _said.decode(line)))
    heard.put((rank, None))


def _is_about_others(said: Said | None) -> bool:
    return said is not None and said.error == "peer_lost"


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("a process started with pipes has none")
    return end
