"""The prediction engine: queue, admission, deadlines, and one worker process that computes.

Calls that arrive in one tick of the event loop, or while the worker is busy, run together; a lone
call leaves at once. The worker starts with the first call (or `warm_up`), and again after it was
lost. Nothing here computes, blocks the loop or waits without an end.
"""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from inference.engine.admission import WorkEstimate, admit
from inference.engine.answers import join_rows, part_answers
from inference.engine.batcher import Batcher, Call, Group, Limits, ModelTraits
from inference.engine.breaker import OPENS_AFTER
from inference.engine.cache import ModelCache
from inference.engine.frames import (
    Done,
    Failure,
    FromWorker,
    Load,
    Loaded,
    Unload,
    answers_of,
    error_of,
    run_of,
)
from inference.engine.keeper import WorkerKeeper
from inference.engine.requests import EngineStats, Priority
from inference.engine.served import EngineOptions, Pending, Served, Started
from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    LeftAlone,
    ModelFailed,
    NotAnswered,
    WorkerLost,
)
from inference.requests import Answers, Rows

log = structlog.get_logger(__name__)

_BLAME_S = 1.0
"""Giving up on a model sooner says more about the deadline than about the model."""


class Engine:
    """Answers rows; an async context manager."""

    def __init__(
        self, open_artifact: Callable[[str], Path], *, options: EngineOptions | None = None
    ) -> None:
        self._open_artifact = open_artifact
        self._options = options or EngineOptions()
        self._batcher = Batcher(Limits())
        self._estimate = WorkEstimate()
        self._cache: ModelCache[Served] = ModelCache(self._options.cache_bytes)
        self._served: dict[str, Served] = {}
        self._pending: dict[int, Pending] = {}
        self._started: dict[int, Started] = {}
        self._ids = itertools.count()
        self._keeper = WorkerKeeper(self, self._options.worker, self._options.patience)
        self._pumping = False
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Fail what waits, and end the worker."""
        self._closed = True
        for pending in list(self._pending.values()):
            _fail(pending, WorkerLost("the engine is closing"))
        await self._keeper.close()

    def warm_up(self) -> None:
        """Start the worker beside whatever else is done."""
        self._keeper.want()

    async def check(self) -> None:
        """Return when the engine can answer.

        Raises:
            WorkerLost: the worker could not be started the last time.
        """
        if why := self._keeper.failed_start:
            raise WorkerLost(f"the worker process did not start: {why}")

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
            Overloaded: too much waits; nothing was done.
            DeadlineExceeded: it was not ready in time.
            WorkerLost: the process that computed it ended.
            ModelFailed: the model answered nonsense, again and again perhaps.
            BadInput: the rows do not fit the model.
            BadModel: the artifact is damaged or wrong.
            MissingFramework: what runs it is not installed.
        """
        if self._closed:
            raise WorkerLost("the engine is closed")
        loop, begun = asyncio.get_running_loop(), monotonic()
        admit(
            rows=len(rows),
            model=artifact,
            priority=priority,
            deadline_s=deadline_s,
            waiting=self._batcher.waiting(),
            estimate=self._estimate,
            bounds=self._options.bounds,
        )
        model = self._served.get(artifact) or self._served.setdefault(artifact, Served(artifact))
        self._refuse_while_broken(model, now=begun)
        tries = model.breaker.trying
        group = Group(artifact, rows.names, tuple(rows.texts), explain)
        call = Call(next(self._ids), group, len(rows), begun + deadline_s, priority)
        pending = self._pending[call.id] = Pending(call, rows, loop.create_future())
        self._batcher.add(call)
        timer = loop.call_later(deadline_s, self._give_up, call.id, deadline_s)
        if model.state == "absent":
            self._open(model)
        self._keeper.want()
        self._pump_soon()
        try:
            answers = await pending.answer
        except BaseException:
            model.stats.failed += 1
            raise
        finally:
            timer.cancel()
            del self._pending[call.id]
            self._batcher.drop(call.id)  # the caller may have gone before it ran
            if tries:
                model.breaker.gave_up()
        model.stats.count_answer(monotonic() - begun)
        return answers

    @property
    def worker_pid(self) -> int | None:
        """Of the worker process, while there is one."""
        return self._keeper.pid

    def stats(self) -> EngineStats:
        """Return what is done now and was done so far."""
        now = monotonic()
        waiting = self._batcher.waiting().values()
        return EngineStats(
            waiting_calls=len(self._batcher),
            waiting_rows=sum(sum(rows.values()) for rows in waiting),
            running_batches=len(self._started),
            loaded_models=len(self._cache),
            loaded_bytes=self._cache.bytes_held,
            worker_starts=self._keeper.starts,
            models={
                name: model.stats.view(
                    seconds_per_row=self._estimate.per_row(name),
                    open_until_s=model.breaker.open_for(now=now),
                )
                for name, model in self._served.items()
            },
        )

    def _refuse_while_broken(self, model: Served, *, now: float) -> None:
        wait_s = model.breaker.refuses_for(now=now)
        if wait_s is not None:
            model.stats.failed += 1
            raise LeftAlone(
                f"it failed {model.breaker.failures} times in a row ({model.breaker.reason}); "
                f"the next try is in {wait_s:.0f} s"
            )

    # Opening and loading

    def _open(self, model: Served) -> None:
        """Verify the artifact in a thread, then let the worker load it."""
        model.state = "opening"
        self._keeper.spawn(self._opened(model))

    async def _opened(self, model: Served) -> None:
        try:
            model.folder = await asyncio.to_thread(self._open_artifact, model.artifact)
        except InferenceError as error:
            self._unopened(model, error)
        except Exception as error:  # the boundary of foreign code: its callers must hear of it
            log.exception("engine.open_failed", artifact=model.artifact)
            self._unopened(model, ModelFailed(f"its artifact cannot be opened: {error}"))
        else:
            model.state = "opened"
            self._load_opened()

    def _load_opened(self) -> None:
        """Let the worker load whatever is verified, once there is a worker."""
        if not self._keeper.ready:
            return
        for model in self._served.values():
            if model.state == "opened":
                model.state, model.since = "loading", monotonic()
                self._keeper.send(Load(model.artifact, str(model.folder)))

    def _unopened(self, model: Served, error: InferenceError) -> None:
        model.state = "absent"
        self._fail_model(model.artifact, error)

    def _loaded(self, message: Loaded) -> None:
        model = self._served[message.artifact]
        if message.failure is not None:
            self._unopened(model, error_of(message.failure))
            return
        model.state, model.lost_loading = "loaded", 0
        lane = "distant" if message.distant else "compute"
        self._batcher.know(model.artifact, ModelTraits(message.max_batch, lane))
        gone = self._cache.put(model.artifact, model, message.size_bytes, in_use=self._in_use)
        for artifact, other in gone:
            other.state = "absent"
            self._batcher.forget(artifact)
            self._keeper.send(Unload(artifact))

    def _in_use(self, artifact: str) -> bool:
        waiting = self._batcher.waiting().values()
        return self._batcher.running_of(artifact) > 0 or any(artifact in rows for rows in waiting)

    # Running

    def _pump_soon(self) -> None:
        """Let the batch close at the end of this tick."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self._keeper.ready:
            return
        now = monotonic()
        while (batch := self._batcher.take(now=now)) is not None:
            group = batch.group
            pendings = [self._pending[call.id] for call in batch.calls]
            for pending in pendings:
                pending.batch = batch.id
            rows = join_rows([pending.rows for pending in pendings])
            sizes = tuple(call.rows for call in batch.calls)
            self._started[batch.id] = Started(batch, now)
            self._cache.get(group.model)  # it is in use: it goes last
            self._keeper.send(run_of(batch.id, group.model, rows, sizes, explain=group.explain))

    def _done(self, message: Done) -> None:
        started = self._started.pop(message.batch)
        batch = self._batcher.done(message.batch)
        model = self._served[batch.group.model]
        self._estimate.learn(model.artifact, rows=batch.rows, seconds=message.seconds)
        model.stats.count_batch(rows=batch.rows, calls=len(batch.calls))
        found: list[Answers | InferenceError] = []
        if message.together is not None:
            found += part_answers(answers_of(message.together), [call.rows for call in batch.calls])
        else:
            found += [
                error_of(one) if isinstance(one, Failure) else answers_of(one)
                for one in message.each
            ]
        failures = [one for one in found if isinstance(one, NotAnswered)]
        if len(failures) < len(found):
            model.breaker.succeeded()
        elif not started.blamed:
            now = monotonic()
            model.breaker.failed(str(failures[0]), now=now)
        for call, one in zip(batch.calls, found, strict=True):
            pending = self._pending.get(call.id)
            if pending is None or pending.answer.done():
                continue  # its caller has gone
            if isinstance(one, InferenceError):
                pending.answer.set_exception(one)
            elif len(one) != call.rows:
                wrong = f"the model gave {len(one)} answers for {call.rows} rows"
                pending.answer.set_exception(ModelFailed(wrong))
            else:
                pending.answer.set_result(one)

    def _give_up(self, call_id: int, deadline_s: float) -> None:
        """Fail a call at its deadline, whether it waits or runs."""
        pending = self._pending.get(call_id)
        if pending is None or pending.answer.done():
            return
        started = None if pending.batch is None else self._started.get(pending.batch)
        if started is None:
            self._batcher.drop(call_id)
            _fail(pending, DeadlineExceeded(f"it still waited after {deadline_s:g} s"))
            return
        now = monotonic()
        if not started.blamed and now - started.begun >= _BLAME_S:
            started.blamed = True
            breaker = self._served[pending.call.group.model].breaker
            breaker.failed("it did not answer in time", now=now)
        _fail(pending, DeadlineExceeded(f"no answer within {deadline_s:g} s"))

    # What the keeper of the worker asks and tells

    def worker_ready(self) -> None:
        """Load what is verified."""
        self._load_opened()

    def worker_said(self, message: FromWorker) -> None:
        """Take an answer, and let the next batch go."""
        match message:
            case Done():
                self._done(message)
            case Loaded():
                self._loaded(message)
        self._pump_soon()

    def worker_lost(self, error: WorkerLost, *, had_started: bool) -> None:
        """Tell those whose answer is lost, and let the others wait for the next worker."""
        now = monotonic()
        for model in self._served.values():
            self._batcher.forget(model.artifact)
            if model.state == "loading":
                model.lost_loading += 1
                # If something ran beside it, that is likelier to have done it: it may try again.
                if not self._started or model.lost_loading >= OPENS_AFTER:
                    model.breaker.failed(str(error), now=now)
                    self._fail_model(model.artifact, error)
            if model.state != "opening":
                model.state = "absent"  # to be verified again
        self._cache.clear()
        for started in list(self._started.values()):
            self._take_back(started, error, now=now)
        self._started.clear()
        if not had_started:
            for artifact in self._served:
                self._fail_model(artifact, error)
        again = {call_id for call_id in self._pending if not self._pending[call_id].answer.done()}
        for artifact in {self._pending[call_id].call.group.model for call_id in again}:
            if self._served[artifact].state == "absent":
                self._open(self._served[artifact])
        if again:
            self._keeper.want()

    def busy_since(self) -> float | None:
        """Return since when the worker computes or loads."""
        since = [started.begun for started in self._started.values()]
        since += [model.since for model in self._served.values() if model.state == "loading"]
        return min(since) if since else None

    def overdue(self, now: float) -> str | None:
        """Return why the worker has to be ended, if it has to."""
        options = self._options
        for model in self._served.values():
            if model.state == "loading" and now - model.since > options.load_s:
                return f"loading a model took longer than {options.load_s:g} s"
        for started in self._started.values():
            may_until = started.begun + options.may_run_s(started.batch.lane)
            if now > max(started.batch.deadline, may_until):
                return "a batch did not end long after its deadline"
        return None

    def _take_back(self, started: Started, error: WorkerLost, *, now: float) -> None:
        """Blame a call that ran by itself; let calls that ran together try again, each alone."""
        batch = self._batcher.done(started.batch.id)
        guilty = len(batch.calls) == 1 and (batch.lane == "compute" or batch.calls[0].alone)
        if guilty and not started.blamed:
            self._served[batch.group.model].breaker.failed(str(error), now=now)
        for call in batch.calls:
            pending = self._pending.get(call.id)
            if pending is None or pending.answer.done():
                continue
            if guilty:
                _fail(pending, error)
            else:
                call.alone, pending.batch = True, None
                self._batcher.add_again(call)

    def _fail_model(self, artifact: str, error: InferenceError) -> None:
        for call in self._batcher.drop_model(artifact):
            if (pending := self._pending.get(call.id)) is not None:
                _fail(pending, error)


def _fail(pending: Pending, error: InferenceError) -> None:
    if not pending.answer.done():
        pending.answer.set_exception(error)
