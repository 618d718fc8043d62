"""An LLM that says what it was told to say: for demos, and for tests that need every word.

It keeps the whole contract of `LLM`: streams, calls tools, tells usage, fails and can be
cancelled at any point.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from agents.errors import LLMError, LLMRejected
from agents.llms.llm import LLMReply, LLMRequest, TextSink, metered
from agents.messages import ToolRequest, Usage


class ScriptedReply(msgspec.Struct, frozen=True):
    """One reply of the script."""

    text: str = ""
    tool_requests: tuple[ToolRequest, ...] = ()
    usage: Usage | None = None
    """None: counted from the texts, a word a token."""
    tells_usage: bool = True
    piece_characters: int = 24
    """How much text one piece brings."""
    pause_s: float = 0.0
    """Before each piece."""
    error: LLMError | None = None
    """Raised after the text."""
    finish_reason: str = ""
    """Empty: `tool_calls` if there are any, else `stop`."""


Line = ScriptedReply | Callable[[LLMRequest], ScriptedReply]
"""A reply, or a function that makes one from the request."""


class ScriptedLLM:
    """Gives its lines in order, one for each request; `loop` begins again after the last."""

    def __init__(
        self, lines: Sequence[Line], *, provider: str = "scripted", loop: bool = False
    ) -> None:
        self._lines = tuple(lines)
        self._provider = provider
        self._loop = loop
        self.requests: list[LLMRequest] = []
        """What was asked so far."""

    @property
    def provider(self) -> str:
        return self._provider

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Give the next line; see `LLM.complete`.

        Raises:
            LLMRejected: the script has ended.
        """
        meter = metered(on_text)
        position = len(self.requests)
        self.requests.append(request)
        if self._loop:
            position %= len(self._lines)
        if position >= len(self._lines):
            raise LLMRejected(f"the script has only {len(self._lines)} lines")
        line = self._lines[position]
        reply = line(request) if callable(line) else line
        size = max(1, reply.piece_characters)
        for start in range(0, len(reply.text), size):
            await asyncio.sleep(reply.pause_s)
            meter(reply.text[start : start + size])
        await asyncio.sleep(0)
        if reply.error is not None:
            reply.error.started = meter.shown > 0
            reply.error.streamed_characters = meter.characters
            raise reply.error
        meter.unseen += sum(
            len(call.name) + len(str(call.arguments)) for call in reply.tool_requests
        )
        usage = reply.usage or _counted(request, reply)
        finish = reply.finish_reason or ("tool_calls" if reply.tool_requests else "stop")
        return LLMReply(
            text=reply.text,
            tool_requests=reply.tool_requests,
            usage=usage if reply.tells_usage else None,
            finish_reason=finish,  # type: ignore[arg-type]
            model=request.model,
        )

    async def aclose(self) -> None:
        """Hold nothing, so close nothing."""


def _counted(request: LLMRequest, reply: ScriptedReply) -> Usage:
    asked = len(request.system.split())
    asked += sum(len(message.content.split()) for message in request.messages)
    said = len(reply.text.split()) + 8 * len(reply.tool_requests)
    return Usage(input_tokens=asked, output_tokens=said)
