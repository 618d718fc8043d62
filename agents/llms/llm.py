"""What an LLM is to us: messages in, streamed text and one finished reply out.

Implementations read their provider's bytes themselves; LangChain sees only the finished reply
(`agents/llms/chat_model.py`), so a token costs one parse and one append.
"""

from typing import Literal, Protocol

import msgspec

from agents.errors import LLMOverlong
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

    __slots__ = ("_forward", "_most", "_unseen", "shown")

    def __init__(self, forward: TextSink, *, most: int | None = None) -> None:
        """`most`: how many characters may come; None sets no limit."""
        self._forward = forward
        self._most = most
        self.shown = 0
        self._unseen = 0

    def __call__(self, delta: str) -> None:
        """Count and hand on.

        Raises:
            LLMOverlong: too much has come; `delta` was still handed on.
        """
        self.shown += len(delta)
        self._forward(delta)
        self._check()

    @property
    def unseen(self) -> int:
        """What was received and not shown; setting it raises as a call does."""
        return self._unseen

    @unseen.setter
    def unseen(self, characters: int) -> None:
        self._unseen = characters
        self._check()

    def _check(self) -> None:
        if self._most is not None and self.characters > self._most:
            raise LLMOverlong(
                "The model wrote on and on, far beyond the length it was allowed, and was stopped.",
                started=self.shown > 0,
                streamed_characters=self.characters,
            )

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
