"""Keep one worker process: start it when it is wanted, notice when it is lost or does not move.

Knows nothing of models or calls. What is expected of the worker, it asks its owner.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

import structlog

from inference.engine.frames import Alive, FromWorker, Ready, ToWorker
from inference.engine.process import WorkerCommand, WorkerProcess
from inference.errors import WorkerLost

log = structlog.get_logger(__name__)

_WATCH_S = 0.25


class Owner(Protocol):
    """Who uses the worker."""

    def worker_ready(self) -> None:
        """It has started: send it what waits."""
        ...

    def worker_said(self, message: FromWorker) -> None:
        """It answers."""
        ...

    def worker_lost(self, error: WorkerLost, *, had_started: bool) -> None:
        """It ended. Ask for it again if it is wanted."""
        ...

    def busy_since(self) -> float | None:
        """Return since when something is expected of it; None when nothing is."""
        ...

    def overdue(self, now: float) -> str | None:
        """Return why it has to be ended, if it has to."""
        ...


@dataclass
class Patience:
    """How long a worker is waited for."""

    start_s: float = 60.0
    stall_s: float = 5.0
    """It is at work and says nothing."""


class WorkerKeeper:
    """Holds the worker of one engine. `worker` is None while there is none."""

    def __init__(self, owner: Owner, command: WorkerCommand, patience: Patience) -> None:
        self._owner = owner
        self._command = command
        self._patience = patience
        self._worker: WorkerProcess | None = None
        self._begun_at = 0.0
        self._silent_looks = 0
        self._watching: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.ready = False
        """There is one, and it takes frames."""
        self.starts = 0
        self.failed_start = ""
        """Why the last start came to nothing."""

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._worker is None else self._worker.pid

    def want(self) -> None:
        """Start the worker unless there is one."""
        if self._worker is not None or self._closed:
            return
        self._worker = WorkerProcess(self._heard, self._lost)
        self._begun_at = monotonic()
        self.starts += 1
        self.spawn(self._start(self._worker))
        self.watch()

    def send(self, message: ToWorker) -> None:
        """Send a frame; to nobody if the worker was just lost."""
        if self._worker is not None:
            self._worker.send(message)
            self.watch()

    async def close(self) -> None:
        """End the worker for good."""
        self._closed = True
        if self._watching is not None:
            self._watching.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._worker is not None:
            await self._worker.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; it ends with the keeper."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def watch(self) -> None:
        """Look at the worker now and then while something is expected of it."""
        if self._watching is None and not self._closed:
            self._watching = asyncio.get_running_loop().call_later(_WATCH_S, self._look)

    async def _start(self, worker: WorkerProcess) -> None:
        try:
            await worker.start(self._command)
        except OSError as error:
            self._lost(worker, f"it cannot be started: {error}")

    def _heard(self, message: FromWorker) -> None:
        match message:
            case Ready():
                self.ready, self.failed_start = True, ""
                self._owner.worker_ready()
            case Alive():
                return
            case _:
                self._owner.worker_said(message)

    def _lost(self, worker: WorkerProcess, why: str) -> None:
        if worker is not self._worker or self._closed:
            return
        had_started = self.ready
        self._worker, self.ready, self._silent_looks = None, False, 0
        if not had_started:
            self.failed_start = why
        log.warning("engine.worker_lost", reason=why, had_started=had_started)
        error = WorkerLost(f"the worker process was lost: {why}")
        self._owner.worker_lost(error, had_started=had_started)

    def _look(self) -> None:
        self._watching = None
        worker = self._worker
        if worker is None:
            return
        now = monotonic()
        if not self.ready:
            if now - self._begun_at > self._patience.start_s:
                worker.kill(f"it did not start within {self._patience.start_s:g} s")
            self.watch()
            return
        since = self._owner.busy_since()
        if since is None:
            self._silent_looks = 0
            return
        silent = now - max(worker.heard_at, since) > self._patience.stall_s
        # Twice in a row: at the first look this process itself may have been held up.
        self._silent_looks = self._silent_looks + 1 if silent else 0
        if self._silent_looks > 1:
            worker.kill(f"it did not move for {self._patience.stall_s:g} s")
        elif (why := self._owner.overdue(now)) is not None:
            worker.kill(why)
        self.watch()
