"""The run that the current task works for.

A compiled graph is shared by all runs of an agent, so what belongs to one run travels beside the
graph: the runner sets it, and the chat model and the middleware of that run's tasks find it here.
"""

from contextvars import ContextVar

from agents.llms.attempts import Attempts
from agents.messages import Message, ToolRequest
from agents.progress import RunProgress
from agents.runs import RunRequest
from agents.sink import RunSink


class RunState:
    """One run under way, and what has been counted of it."""

    __slots__ = (
        "asked",
        "attempts",
        "calls",
        "past",
        "progress",
        "request",
        "sink",
        "steps",
        "taken_ids",
    )

    def __init__(
        self, request: RunRequest, sink: RunSink, progress: RunProgress, attempts: Attempts
    ) -> None:
        self.request = request
        self.sink = sink
        self.progress = progress
        self.attempts = attempts
        self.past: tuple[Message, ...] = request.history
        """What of the conversation's past the next LLM call reads."""
        self.steps = 0
        """LLM calls begun."""
        self.calls: dict[str, int] = {}
        """Tool calls begun, by tool and arguments."""
        self.asked: dict[str, ToolRequest] = {}
        """Tool calls the LLM asked for, by id."""
        self.taken_ids = {call.id for message in request.history for call in message.tool_requests}
        """Tool call ids that may not be used again."""


_CURRENT: ContextVar[RunState] = ContextVar("outcry_run")


def set_current_run(state: RunState) -> None:
    """Make `state` the run of this task and of every task it starts."""
    _CURRENT.set(state)


def current_run() -> RunState:
    """Return the run of this task."""
    return _CURRENT.get()
