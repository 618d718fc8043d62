"""Choose how much of the conversation's past one LLM call reads.

The graph's state holds this run's messages only; the past joins them in the chat model, so no
earlier message is copied, stored or converted again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse

from agents.messages import Message
from agents.state import current_run
from memory.window import estimate_tokens, first_kept

_SHORT_RESULT = 1_500
"""Earlier tool results longer than this, in characters, are read as their summary."""


class ContextWindow(AgentMiddleware):
    """Keeps the newest whole turns that fit the agent's memory."""

    async def awrap_model_call(
        self,
        request: ModelRequest[None],
        handler: Callable[[ModelRequest[None]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        state = current_run()
        if not state.steps:
            # The same for every call of a run: what a provider has cached stays valid.
            state.past = window(state.request.history, budget=state.request.agent.memory_max_tokens)
        return await handler(request)


def window(history: Sequence[Message], *, budget: int) -> tuple[Message, ...]:
    """Return the newest turns of `history` that fit `budget` tokens, long tool results shortened.

    A turn begins at a user message and is kept whole or not at all.
    """
    turns: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(_shortened(message))
    sizes = [sum(map(_tokens, turn)) for turn in turns]
    kept = turns[first_kept(sizes, budget=budget) :]
    return tuple(message for turn in kept for message in turn)


def _tokens(message: Message) -> int:
    calls = sum(estimate_tokens(f"{c.name}{c.arguments}") for c in message.tool_requests)
    return estimate_tokens(message.content) + calls


def _shortened(message: Message) -> Message:
    if message.role != "tool" or len(message.content) <= _SHORT_RESULT:
        return message
    try:
        result = msgspec.json.decode(message.content)
        summary, as_of = result["summary"], result.get("asOf")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        summary, as_of = message.content[:_SHORT_RESULT], None
    short = {
        "summary": summary,
        "asOf": as_of,
        "note": "An earlier result, shortened. Call the tool again for the numbers.",
    }
    return msgspec.structs.replace(message, content=msgspec.json.encode(short).decode())
