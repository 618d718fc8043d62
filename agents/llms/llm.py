"""What an LLM is to us: messages in, streamed text and one finished reply out.

Implementations read their provider's bytes themselves; LangChain sees only the finished reply
(`agents/llms/chat_model.py`), so a token costs one parse and one append.
"""

from typing import Literal, Protocol

import msgspec

from agents.messages import Message, ToolRequest, Usage
from tools.tool import ToolSpec


class LLMRequest(msgspec.Struct, frozen=True):
    """One question to an LLM."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    temperature: float = 0.2
    max_output_tokens: int = 4096


class LLMReply(msgspec.Struct, frozen=True):
    """One finished answer of an LLM."""

    text: str
    tool_requests: tuple[ToolRequest, ...] = ()
    usage: Usage | None = None
    finish_reason: Literal["stop", "tool_calls", "length", "refused"] = "stop"
    model: str = ""
    """The model that answered, as the provider names it; it may be more exact than asked for."""


class TextSink(Protocol):
    """Where streamed text goes, in pieces as large as one wake-up brought."""

    def __call__(self, delta: str, /) -> None: ...


class StreamMeter:
    """A TextSink that also counts what an attempt received, for when usage never arrives.

    Readers that are given one add to `unseen` what they receive but do not show: tool arguments
    and reasoning.
    """

    __slots__ = ("_forward", "shown", "unseen")

    def __init__(self, forward: TextSink) -> None:
        self._forward = forward
        self.shown = 0
        self.unseen = 0

    def __call__(self, delta: str) -> None:
        self.shown += len(delta)
        self._forward(delta)

    @property
    def characters(self) -> int:
        """Everything received."""
        return self.shown + self.unseen


def metered(on_text: TextSink) -> StreamMeter:
    """Return `on_text` as a meter, the caller's own if it is one."""
    return on_text if isinstance(on_text, StreamMeter) else StreamMeter(on_text)


class LLM(Protocol):
    """One provider."""

    @property
    def provider(self) -> str:
        """The name in `LLMProvider`, or `builtin`."""
        ...

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Stream one reply.

        Cancelling the task closes the connection to the provider.

        Raises:
            LLMError: see `agents/errors.py`; `started` tells whether text was already streamed.
        """
        ...

    async def aclose(self) -> None: ...
