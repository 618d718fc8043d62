"""A task that works whenever it is woken, and now and then in case nobody woke it."""

import asyncio
from typing import Self

import structlog

log = structlog.get_logger(__name__)


class Worker:
    """Works while it is entered; whoever inherits says what the work is."""

    def __init__(self, name: str, *, look_every_s: float) -> None:
        self._name = name
        self._look_every_s = look_every_s
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._go_on(), name=self._name)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    def wake(self) -> None:
        """Look at once: there is something to do."""
        self._wake.set()

    async def work(self) -> float:
        """Do what there is to do; return in how many seconds to look again at the latest."""
        raise NotImplementedError

    async def _go_on(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self.work()
            except Exception:
                # The database is away, say; what is not done is found again.
                log.exception("worker.failed", worker=self._name)
                wait_s = self._look_every_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
