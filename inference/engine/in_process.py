"""The engine without a process of its own: models run in threads of this one.

For tests, scripts and the command line. A model that crashes takes this process along, and one
that hangs keeps its thread: whoever serves people uses `engine.py`.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from inference.engine.cache import ModelCache
from inference.engine.pipeline import LoadedModel, RuntimeFor
from inference.engine.requests import EngineStats, ModelStats, Priority
from inference.errors import DeadlineExceeded
from inference.requests import Answers, Rows

_CLOSE_S = 5.0


class InProcessEngine:
    """Answers rows like `Engine`, one call of a model at a time."""

    def __init__(
        self,
        open_artifact: Callable[[str], Path],
        *,
        runtime_for: RuntimeFor,
        device: str = "cpu",
        cache_bytes: int = 512 * 2**20,
    ) -> None:
        self._open_artifact = open_artifact
        self._runtime_for = runtime_for
        self._device = device
        self._cache: ModelCache[LoadedModel] = ModelCache(cache_bytes)
        self._locks: dict[str, asyncio.Lock] = {}
        self._running: set[asyncio.Task[Answers]] = set()
        self._stats: dict[str, ModelStats] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait a moment for what runs, and close the models."""
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_S)
        for model in self._cache.clear():
            model.close()

    async def predict(
        self,
        artifact: str,
        rows: Rows,
        *,
        deadline_s: float,
        priority: Priority = "interactive",
        explain: bool = False,
    ) -> Answers:
        """Return one answer per row.

        Raises:
            BadInput: the rows do not fit the model.
            BadModel: the artifact is damaged or wrong.
            MissingFramework: what runs it is not installed.
            DeadlineExceeded: it was not ready in time.
            ModelFailed: the model answered nonsense.
        """
        begun = time.monotonic()
        stats = self._stats.setdefault(artifact, ModelStats())
        running = asyncio.create_task(self._answer(artifact, rows, explain=explain))
        self._running.add(running)
        running.add_done_callback(self._done)
        try:
            # The thread cannot be stopped: it goes on, holding the model's lock, unheard.
            async with asyncio.timeout(deadline_s):
                answers = await asyncio.shield(running)
        except TimeoutError:
            stats.failed += 1
            raise DeadlineExceeded(f"no answer within {deadline_s:g} s") from None
        except Exception:
            stats.failed += 1
            raise
        stats.count_batch(rows=len(rows), calls=1)
        stats.count_answer(time.monotonic() - begun)
        return answers

    async def check(self) -> None:
        """Return: there is nothing that could be away."""

    def stats(self) -> EngineStats:
        """Return what was done so far."""
        return EngineStats(
            waiting_calls=0,
            waiting_rows=0,
            running_batches=len(self._running),
            loaded_models=len(self._cache),
            loaded_bytes=self._cache.bytes_held,
            worker_starts=0,
            models={name: stats.view() for name, stats in self._stats.items()},
        )

    async def _answer(self, artifact: str, rows: Rows, *, explain: bool) -> Answers:
        async with self._locks.setdefault(artifact, asyncio.Lock()):
            model = self._cache.get(artifact)
            if model is None:
                model = await asyncio.to_thread(self._load, artifact)
                for _, gone in self._cache.put(
                    artifact, model, model.size_bytes, in_use=self._in_use
                ):
                    gone.close()
            return await asyncio.to_thread(model.answer, rows, explain=explain)

    def _load(self, artifact: str) -> LoadedModel:
        folder = self._open_artifact(artifact)
        model = LoadedModel.load(folder, runtime_for=self._runtime_for, device=self._device)
        model.warm_up()
        return model

    def _in_use(self, artifact: str) -> bool:
        return self._locks[artifact].locked()

    def _done(self, running: asyncio.Task[Any]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # its caller may have gone; then nobody else asks for it
