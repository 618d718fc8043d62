"""What a conversation is made of, as an agent sees it.

Plain values that any provider's wire format can be written from and read into. They carry no row
ids: identity is a storage concern.
"""

from typing import Any, Literal

import msgspec


class ToolRequest(msgspec.Struct, frozen=True):
    """An LLM's wish to call one tool."""

    id: str
    """The provider's id for this call; unique inside one run."""
    name: str
    arguments: dict[str, Any]
    malformed: str | None = None
    """The arguments as the LLM wrote them, when they are no JSON object. Such a call is never
    made: the LLM is told and may ask again."""


class Message(msgspec.Struct, frozen=True):
    """One entry of the history that an LLM reads."""

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    """Only on assistant messages."""
    tool_request_id: str | None = None
    """Only on tool messages: which request this answers."""
    failed: bool = False
    """Only on tool messages: the tool could not answer and `content` says why."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one provider attempt. Cached and reasoning tokens are parts of the totals."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )
