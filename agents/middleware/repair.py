"""Answer tool calls that nobody answered.

A run that was stopped between a tool call and its result leaves a history that providers refuse.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agents.messages import Message
from agents.state import current_run

_NO_RESULT = "There is no result: the call was stopped before it had finished."


class RepairDanglingCalls(AgentMiddleware):
    """Completes what the LLM reads, both of the past and of this run."""

    async def awrap_model_call(
        self,
        request: ModelRequest[None],
        handler: Callable[[ModelRequest[None]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        state = current_run()
        state.past = with_answers(state.past)
        messages = _with_tool_messages(request.messages)
        if messages is not request.messages:
            request = request.override(messages=messages)
        return await handler(request)


def with_answers(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return `messages` with a result for every tool request, and no result without a request.

    Results stand right after their request, in its order, whatever order they came in.
    """
    results = {
        message.tool_request_id: message
        for message in messages
        if message.role == "tool" and message.tool_request_id
    }
    repaired: list[Message] = []
    for message in messages:
        if message.role == "tool":
            continue
        repaired.append(message)
        for call in message.tool_requests:
            result = results.get(call.id)
            repaired.append(
                result
                or Message(role="tool", content=_NO_RESULT, tool_request_id=call.id, failed=True)
            )
    return tuple(repaired)


def _with_tool_messages(messages: list[AnyMessage]) -> list[AnyMessage]:
    """Return the run's own messages with a result for every tool call, or themselves."""
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    dangling = any(
        call["id"] not in answered
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    )
    if not dangling:
        return messages
    repaired: list[AnyMessage] = []
    for message in messages:
        repaired.append(message)
        if isinstance(message, AIMessage):
            repaired.extend(
                ToolMessage(
                    content=_NO_RESULT,
                    tool_call_id=call["id"],
                    name=call["name"],
                    status="error",
                )
                for call in message.tool_calls
                if call["id"] not in answered
            )
    return repaired
