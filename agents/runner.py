"""Carry out one run: a question goes through an agent's graph, and everything it does is told.

The only file that knows LangGraph's stream. Text does not come this way: the chat model hands it
to `RunProgress.text` while the graph waits for the finished message.
"""

import asyncio
import importlib
from contextlib import aclosing
from types import ModuleType
from typing import Any

import structlog

from agents.errors import AgentError, EmptyAnswer, LimitReached, LLMError
from agents.later import import_later
from agents.llms.attempts import Attempts, RetryPolicy
from agents.progress import RunProgress
from agents.runs import (
    AgentSpec,
    ModelUsage,
    RunOutcome,
    RunRequest,
    TextPiece,
    ToolCallRecord,
)
from agents.sink import RunSink
from agents.state import RunState, set_current_run
from agents.steps import asking, calling
from tools.errors import ToolError
from tools.registry import ToolBox

__all__ = [
    "AgentSpec",
    "ModelUsage",
    "RunOutcome",
    "RunProgress",
    "RunRequest",
    "Runner",
    "TextPiece",
    "ToolCallRecord",
]

log = structlog.get_logger(__name__)

_EMPTY = {
    "length": "The model used up its tokens before it had said anything.",
    "refused": "The model refused to answer this.",
}


class Runner:
    """Answers questions. One for the whole server; it keeps compiled graphs, nothing of any run."""

    def __init__(
        self, toolbox: ToolBox, *, retries: RetryPolicy | None = None, tracing: bool = False
    ) -> None:
        """`tracing`: LangSmith's own environment variables decide; else nothing is sent."""
        self._toolbox = toolbox
        self._retries = retries
        self._tracing = tracing
        self._library: Any = None
        self._loading: asyncio.Task[Any] | None = None

    async def warm_up(self) -> None:
        """Import what takes long to import, off the event loop; the first run waits for it."""
        await self._graphs()

    async def run(
        self, request: RunRequest, sink: RunSink, progress: RunProgress | None = None
    ) -> RunOutcome:
        """Answer `request`, telling `sink` everything as it happens.

        A failure is an outcome, not an exception. When the task is cancelled, the provider's
        connection is closed, everything open is ended towards `sink`, and CancelledError goes on
        its way: the caller reads what there was from the `progress` it passed in, with
        `progress.outcome("cancelled")`.
        """
        progress = progress or RunProgress()
        progress.begin(sink)
        progress.follow(request.history)
        within = asyncio.timeout(request.limits.max_seconds)
        try:
            async with within:
                await self._answer(request, sink, progress)
            return progress.outcome("finished")
        except asyncio.CancelledError:
            progress.close()
            raise
        except (AgentError, ToolError) as error:
            return progress.outcome("failed", error_code=error.code, error_message=error.message)
        except Exception as error:
            if isinstance(error, TimeoutError) and within.expired():
                message = f"The answer took longer than {request.limits.max_seconds:g} seconds."
                return progress.outcome(
                    "failed", error_code=LimitReached.code, error_message=message
                )
            # The run boundary: fail once, loudly for the operator.
            log.exception("run.failed", run_id=str(request.run_id))
            return progress.outcome(
                "failed",
                error_code="internal_error",
                error_message="Something went wrong here; it was logged.",
            )

    async def _answer(self, request: RunRequest, sink: RunSink, progress: RunProgress) -> None:
        """Follow the graph to its end.

        Raises:
            AgentError: the run cannot go on.
        """
        graphs = await self._graphs()
        state = RunState(request, sink, progress, self._attempts(request, sink, progress))
        set_current_run(state)
        answered = False
        with graphs.traced():
            async with aclosing(graphs.stream(request.agent, request.question)) as parts:
                async for part in parts:
                    task = part["data"]
                    if "result" in task:
                        answered = _ended(task, state) or answered
                    else:
                        _started(task, state)
                        answered = False
                    await sink.wait_for_room()
        if not answered:
            reason = progress.finish_reason
            raise EmptyAnswer(_EMPTY.get(reason, "The model gave an empty answer."))

    def _attempts(self, request: RunRequest, sink: RunSink, progress: RunProgress) -> Attempts:
        async def wait(error: LLMError, pause_s: float) -> None:
            step = f"waiting to ask {request.model} again ({error.code.replace('_', ' ')})"
            progress.start_step(step)
            try:
                await asyncio.sleep(pause_s)
            finally:
                progress.end_step(step)

        deadline = asyncio.get_running_loop().time() + request.limits.max_seconds
        return Attempts(request.llm, sink, deadline=deadline, policy=self._retries, waiting=wait)

    async def _graphs(self) -> Any:
        if self._library is None:
            if self._loading is None:
                self._loading = asyncio.create_task(asyncio.to_thread(self._load))
            # Others wait for the same import; cancelling one of them must not end it.
            self._library = await asyncio.shield(self._loading)
        return self._library

    def _load(self) -> Any:
        return load_graphs().GraphLibrary(self._toolbox, tracing=self._tracing)


def load_graphs() -> ModuleType:
    """Import LangChain, which takes half a second, and the graphs that stand on it."""
    # The tracer imports all of its service's types, two hundred modules, for a name in a hint.
    import_later("langsmith.types")
    return importlib.import_module("agents.graphs.library")


def _started(task: dict[str, Any], state: RunState) -> None:
    """Tell that a node of the graph begins."""
    match task["name"]:
        case "model":
            request = state.request
            state.progress.start_step(asking(request.llm.provider, request.model))
        case "tools":
            for call in task["input"]:
                state.progress.start_step(calling(call["name"], call["args"]))


def _ended(task: dict[str, Any], state: RunState) -> bool:
    """Tell what a node of the graph did; True if it gave the answer."""
    if task["error"] is not None:
        # The graph raises it as well.
        return False
    progress = state.progress
    messages = task["result"].get("messages", ())
    match task["name"]:
        case "model":
            spoken = progress.end_text()
            request = state.request
            progress.end_step(asking(request.llm.provider, request.model))
            wanted = [call for message in messages for call in message.tool_calls]
            for call in wanted:
                progress.tool_requested(state.asked[call["id"]], parent=spoken)
            return spoken is not None and not wanted
        case "tools":
            for message in messages:
                record, summary = message.artifact
                progress.tool_finished(record, content=message.content, summary=summary)
                progress.end_step(calling(record.name, record.arguments))
    return False
