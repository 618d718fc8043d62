"""Answers in the making: begin them, carry them out, stop them, and finish what a crash left.

A run belongs to the server. It outlives the socket that asked for it and ends in exactly one of
`finished`, `cancelled` or `failed`, also when its process died.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec
import structlog

from agents.errors import AgentError
from agents.events import RunError, RunFinished
from agents.history import PastCall, opened_by, turn
from agents.limits import Limits
from agents.llms.catalog import Selection
from agents.messages import Message
from agents.runner import Runner, RunProgress
from agents.runs import RunOutcome, RunRequest
from app.domain.agents import Agent
from app.domain.errors import NotFound, Unavailable
from app.domain.ids import RunId, UserId
from app.domain.principal import Principal
from app.domain.runs import StartedRun, StartRun
from app.services.conversations.completion import completion
from app.services.conversations.histories import Histories
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recorder import Clock, RunRecorder, utc_now
from app.services.conversations.run_commands import (
    Opening,
    agent_spec,
    checked,
    command_hash,
    run_started,
)
from app.services.conversations.run_log import RunLog
from app.services.ports import RunStore

log = structlog.get_logger(__name__)


class RunPolicy(msgspec.Struct, frozen=True):
    """How much may go on at once."""

    max_running: int = 2_000
    max_running_per_user: int = 400
    shutdown_grace_s: float = 5.0


class _Beginning(msgspec.Struct, frozen=True):
    run_id: RunId
    user_id: UserId


class _Running(msgspec.Struct):
    started: StartedRun
    task: asyncio.Task[None]
    begun: bool = False
    """A task that is cancelled before its first step never runs, and could not end its run."""
    stopped_as: Literal["cancelled", "failed"] | None = None
    """Set by whoever stopped it first; later wishes change nothing."""

    def stop(self, status: Literal["cancelled", "failed"]) -> None:
        if self.stopped_as is None:
            self.stopped_as = status
            if self.begun:
                self.task.cancel()


class Runs:
    """The run supervisor."""

    def __init__(
        self,
        store: RunStore,
        journal: Journal,
        runner: Runner,
        prices: PriceBook,
        *,
        owner: str,
        llm_for: Callable[[Agent], Selection],
        limits: Limits | None = None,
        policy: RunPolicy | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._journal = journal
        self._runner = runner
        self._prices = prices
        self._owner = owner
        self._llm_for = llm_for
        self._limits = limits or Limits()
        self._policy = policy or RunPolicy()
        self._clock = clock
        self._running: dict[RunId, _Running] = {}
        self._histories = Histories()
        self._beginning: dict[asyncio.Future[StartedRun], _Beginning] = {}
        self._closing = False

    # --- begin --------------------------------------------------------------------------------

    async def start(
        self, command: StartRun, principal: Principal, *, opening: Opening | None = None
    ) -> StartedRun:
        """Store the question, begin the run, and return once both are durable.

        With `opening` it is not the agent who answers, but whoever opens the conversation.

        Raises:
            Refusal: the command cannot be taken up; nothing was stored.
        """
        if self._closing:
            raise Unavailable("The server is restarting.", code="restarting", retry_after_s=2)
        command = checked(command)
        if not self._has_room(principal.user_id):
            raise Unavailable("Too many answers are being written.", code="busy", retry_after_s=5)
        # Shielded: a socket that goes away must not leave a stored run that nobody executes.
        beginning = asyncio.ensure_future(self._begin(command, principal, opening))
        self._beginning[beginning] = _Beginning(command.run_id, principal.user_id)
        beginning.add_done_callback(self._beginning.pop)
        return await asyncio.shield(beginning)

    def _has_room(self, user_id: UserId) -> bool:
        """Tell whether one more may begin; those being stored count, or a flood would pass."""
        users = [running.started.run.user_id for running in self._running.values()]
        users += [beginning.user_id for beginning in self._beginning.values()]
        return (
            len(users) < self._policy.max_running
            and users.count(user_id) < self._policy.max_running_per_user
        )

    async def _begin(
        self, command: StartRun, principal: Principal, opening: Opening | None = None
    ) -> StartedRun:
        started = await self._store.start(
            command,
            principal,
            command_hash=command_hash(command),
            owner=self._owner,
            now=self._clock(),
        )
        run_id = started.run.id
        if started.created:
            task = asyncio.create_task(
                self._execute(started, command, principal, opening), name=f"run {run_id}"
            )
            self._running[run_id] = running = _Running(started=started, task=task)
            task.add_done_callback(partial(self._ended, run_id))
            if self._closing:
                # It was stored while the others were told to end.
                running.stop("failed")
        return started

    def _ended(self, run_id: RunId, task: asyncio.Task[None]) -> None:
        del self._running[run_id]
        if not task.cancelled() and (bug := task.exception()) is not None:
            # Nobody awaits a run; as it is still open in the database, recovery will end it.
            log.error("run.not_ended", run_id=str(run_id), exc_info=bug)

    # --- stop ---------------------------------------------------------------------------------

    async def stop(self, run_id: RunId, principal: Principal) -> bool:
        """Cancel a run of the caller's; False if it had already ended.

        Raises:
            NotFound: no such run, or not the caller's.
            Unavailable: `run_elsewhere`: another process carries it out.
        """
        for beginning, what in tuple(self._beginning.items()):
            if what.run_id == run_id and what.user_id == principal.user_id:
                await asyncio.wait({beginning})
        running = self._running.get(run_id)
        if running is None or running.started.run.user_id != principal.user_id:
            run = await self._store.find(run_id, principal.user_id)
            if run is None:
                raise NotFound("There is no such run.")
            if run.status == "running" and not self.is_running(run_id):
                raise Unavailable(
                    "Another server process is writing this answer.",
                    code="run_elsewhere",
                    retry_after_s=5,
                )
            return False
        running.stop("cancelled")
        await asyncio.wait({running.task})
        return True

    def is_running(self, run_id: RunId) -> bool:
        """Tell whether this process is carrying out the run, or about to."""
        return run_id in self._running or any(
            beginning.run_id == run_id for beginning in self._beginning.values()
        )

    async def wait(self, run_id: RunId) -> None:
        """Return once the run has ended (at once if it is not running here)."""
        if running := self._running.get(run_id):
            await asyncio.wait({running.task})

    async def close(self) -> None:
        """Let runs finish for a moment, then end the rest as interrupted; all of it durable."""
        self._closing = True
        if self._beginning:
            await asyncio.wait(self._beginning, timeout=self._policy.shutdown_grace_s)
        tasks = {running.task for running in self._running.values()}
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=self._policy.shutdown_grace_s)
        for running in self._running.values():
            running.stop("failed")
        if pending:
            await asyncio.wait(pending, timeout=10)

    # --- carry out ----------------------------------------------------------------------------

    async def _execute(
        self,
        started: StartedRun,
        command: StartRun,
        principal: Principal,
        opening: Opening | None,
    ) -> None:
        run = started.run
        running = self._running[run.id]
        running.begun = True
        run_log = self._journal.open(run.conversation_id, run.id, started.last_seq)
        run_log.when_lost = lambda: running.stop("failed")
        recorder = RunRecorder(run_log, run, self._prices, clock=self._clock)
        begun = asyncio.get_running_loop().time()
        progress = RunProgress()
        progress.begin(recorder)
        history: list[Message] = []
        chosen: Selection | None = None
        try:
            chosen, refused = (opening.chosen, None) if opening else self._choose(started.agent)
            recorder.emit(
                run_started(
                    run,
                    question=started.question,
                    mode=command.mode,
                    from_message_id=command.from_message_id,
                    agent=started.agent,
                    chosen=chosen,
                )
            )
            if refused is not None or chosen is None:
                raise refused or RuntimeError("no LLM was chosen")
            if running.stopped_as is not None:
                raise asyncio.CancelledError
            history = await self._history(started, rewound=command.mode in ("regenerate", "edit"))
            request = RunRequest(
                run_id=run.id,
                conversation_id=run.conversation_id,
                principal_id=str(principal.user_id),
                agent=agent_spec(started.agent, opening),
                history=tuple(history),
                question=started.question,
                llm=chosen.llm,
                model=chosen.model,
                now=self._clock(),
                limits=self._limits,
            )
            outcome = await self._runner.run(request, recorder, progress)
        except asyncio.CancelledError:
            # Nobody asked: the event loop itself is being closed.
            status = running.stopped_as or "failed"
            code = "interrupted" if status == "failed" else None
            outcome = progress.outcome(status, error_code=code)
        except AgentError as failure:
            outcome = progress.outcome(
                "failed", error_code=failure.code, error_message=failure.message
            )
        except Exception:
            log.exception("run.crashed", run_id=str(run.id))
            outcome = progress.outcome("failed", error_code="internal_error")
        duration_ms = round((asyncio.get_running_loop().time() - begun) * 1000)
        ending = asyncio.create_task(
            self._end(started, run_log, recorder, outcome, chosen, duration_ms, history)
        )
        await _finish_despite_cancellation(ending)

    async def _end(
        self,
        started: StartedRun,
        run_log: RunLog,
        recorder: RunRecorder,
        outcome: RunOutcome,
        chosen: Selection | None,
        duration_ms: int,
        history: list[Message],
    ) -> None:
        """Write the answer, its tool calls, claims and costs and the run's end in one commit."""
        run = started.run
        recorder.settle_open("cancelled" if outcome.status == "cancelled" else "failed")
        receipt = recorder.receipt(
            duration_ms=duration_ms,
            provider=chosen.provider if chosen else "",
            model=chosen.model if chosen else "",
        )
        done = completion(run, outcome, recorder=recorder, receipt=receipt, now=self._clock())
        if outcome.status == "failed":
            recorder.emit(
                RunError(
                    message=outcome.error_message or "The answer could not be finished.",
                    code=outcome.error_code or "internal_error",
                    metadata=done.told(),
                )
            )
        else:
            kind = "success" if outcome.status == "finished" else "cancelled"
            recorder.emit(
                RunFinished(
                    thread_id=str(run.conversation_id),
                    run_id=str(run.id),
                    outcome={"type": kind},
                    usage=recorder.usage_entries(),
                    metadata=done.told(),
                )
            )
        run_log.record(**done.rows)
        try:
            await run_log.durable()
        except Exception:
            log.exception("run.not_stored", run_id=str(run.id))
            return
        self._remember(run_log, started, outcome, history)
        log.info(
            "run.finished",
            run_id=str(run.id),
            status=outcome.status,
            error_code=outcome.error_code,
            duration_ms=duration_ms,
            cost_usd=receipt.amount,
        )

    def _choose(self, agent: Agent) -> tuple[Selection | None, AgentError | None]:
        """Return the agent's LLM, or why it has none today."""
        try:
            return self._llm_for(agent), None
        except AgentError as refused:
            return None, refused

    # --- history ------------------------------------------------------------------------------

    async def _history(self, started: StartedRun, *, rewound: bool) -> list[Message]:
        """Return the window of earlier turns: cached while nobody else wrote, else read anew."""
        run = started.run
        cached = self._histories.take(run.conversation_id, at_seq=started.last_seq)
        if cached is not None and not rewound:
            return cached
        if started.last_seq == 0:
            return []
        return await self._store.history(
            run.conversation_id, before_run=run.id, max_turns=self._histories.most_turns
        )

    def _remember(
        self, run_log: RunLog, started: StartedRun, outcome: RunOutcome, history: list[Message]
    ) -> None:
        """Keep the window for the next turn."""
        if outcome.status != "finished" or not outcome.pieces:
            return
        calls = [
            PastCall(call.call_id, call.name, call.arguments, call.output, call.status)
            for call in outcome.tool_calls
        ]
        unasked = started.run.user_message_id is None
        said = turn(
            opened_by(calls) if unasked else started.question, calls, outcome.pieces[-1].text
        )
        self._histories.keep(run_log.conversation_id, [*history, *said], seq=run_log.last_seq)


async def _finish_despite_cancellation(task: asyncio.Task[None]) -> None:
    """Wait for `task` even if the waiter is cancelled again meanwhile."""
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
