"""Keep a run from going on for ever: the last LLM call must answer, no call repeats idly."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from langchain.agents.middleware.types import (
    AgentMiddleware,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
)
from langchain_core.messages import SystemMessage, ToolMessage
from langgraph.types import Command

from agents.errors import LimitReached
from agents.middleware.tool_calls import refused
from agents.state import RunState, current_run

_LAST_STEP = (
    "You have used all your tool calls. Answer now from what you have, and say what is missing."
)

ToolAnswer = ToolMessage | Command[Any]


class RunLimits(AgentMiddleware):
    """Counts LLM calls and tool calls of a run against its `Limits`."""

    async def awrap_model_call(
        self,
        request: ModelRequest[None],
        handler: Callable[[ModelRequest[None]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        state = current_run()
        limits = state.request.limits
        state.steps += 1
        if state.steps > limits.max_steps:
            raise LimitReached(
                f"The answer was not finished within {limits.max_steps} steps.",
            )
        if state.steps == limits.max_steps and state.steps > 1:
            text = f"{request.system_prompt or ''}\n\n{_LAST_STEP}".strip()
            request = request.override(tools=[], system_message=SystemMessage(content=text))
        return await handler(request)

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolAnswer]],
    ) -> ToolAnswer:
        reason = _over(current_run(), request)
        return await handler(request) if reason is None else refused(request, reason)


def _over(state: RunState, request: ToolCallRequest) -> str | None:
    """Count the call; return why it may not be made, None if it may."""
    limits = state.request.limits
    call = request.tool_call
    key = f"{call['name']} {msgspec.json.encode(call['args'], order='sorted').decode()}"
    state.calls[key] = state.calls.get(key, 0) + 1
    if state.calls[key] > limits.max_equal_calls:
        return (
            f"{call['name']} was already called {limits.max_equal_calls} times with these "
            "arguments; the answer will not change. Use it, or ask for something else."
        )
    if sum(state.calls.values()) > limits.max_tool_calls:
        return (
            f"All {limits.max_tool_calls} tool calls of this answer are used. Answer from what "
            "you have, and say what is missing."
        )
    return None
