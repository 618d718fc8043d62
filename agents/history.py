"""Write an earlier turn the way an LLM reads it."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from agents.messages import Message, ToolRequest


class PastCall(msgspec.Struct, frozen=True):
    """A tool call of an earlier turn, as it is stored."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    output: dict[str, Any]
    """`ToolResult.evidence()`, or `{"error": sentence}`."""
    status: Literal["success", "failure"]


def turn(question: str, calls: Sequence[PastCall], answer: str) -> list[Message]:
    """Return one turn: question, tool requests with their results, answer.

    Several rounds of tool calls are told as one: providers accept that, and it is shorter.
    """
    messages = [Message(role="user", content=question)]
    if calls:
        requests = tuple(ToolRequest(call.call_id, call.name, call.arguments) for call in calls)
        messages.append(Message(role="assistant", content="", tool_requests=requests))
        messages.extend(
            Message(
                role="tool",
                content=tool_text(call.output),
                tool_request_id=call.call_id,
                failed=call.status == "failure",
            )
            for call in calls
        )
    messages.append(Message(role="assistant", content=answer))
    return messages


def opened_by(calls: Sequence[PastCall]) -> str:
    """Return the question that stands before a conversation nobody asked for: it answers as well
    as any, and says what the conversation is about."""
    symbol = next((call.arguments.get("symbol") for call in calls), None)
    return (
        f"An alert of mine fired. How does {symbol} look?" if symbol else "An alert of mine fired."
    )


def tool_text(output: dict[str, Any]) -> str:
    """Return what a model reads of a tool's output: compact JSON, or the failure's sentence."""
    if set(output) == {"error"}:
        return str(output["error"])
    # Sorted, because jsonb keeps no order: the same turn must read the same however it was kept, or
    # providers could not cache it.
    return msgspec.json.encode(output, order="sorted").decode()
