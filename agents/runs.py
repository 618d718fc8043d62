"""What a run is asked to do and what came of it, as values."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from agents.claims import Claim
from agents.limits import Limits
from agents.llms.llm import LLM
from agents.messages import Message, Usage
from tools.tool import Card

RunStatus = Literal["finished", "cancelled", "failed"]


class AgentSpec(msgspec.Struct, frozen=True):
    """An agent at one version: everything that shapes how it answers."""

    id: str
    name: str
    version: int
    type: str
    system_prompt: str
    """What the operator adds to the rules of the agent's type; may be empty."""
    temperature: float
    max_output_tokens: int
    tool_names: tuple[str, ...]
    memory_max_tokens: int
    """How much history one request may carry."""


class RunRequest(msgspec.Struct, frozen=True):
    """One question, with everything needed to answer it."""

    run_id: UUID
    conversation_id: UUID
    principal_id: str
    agent: AgentSpec
    history: tuple[Message, ...]
    """Earlier turns, oldest first."""
    question: str
    llm: LLM
    model: str
    now: datetime
    limits: Limits = Limits()


class ToolCallRecord(msgspec.Struct, frozen=True):
    """One tool call, as it is stored."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    output: dict[str, Any]
    """`ToolResult.evidence()`, or `{"error": sentence}`."""
    duration_ms: int
    status: Literal["success", "failure"]
    cards: tuple[Card, ...] = ()


class TextPiece(msgspec.Struct, frozen=True):
    """One streamed text message."""

    message_id: UUID
    text: str


class ModelUsage(msgspec.Struct, frozen=True):
    """Tokens of all attempts at one model."""

    provider: str
    model: str
    usage: Usage


class RunOutcome(msgspec.Struct, frozen=True):
    """How a run went. Whatever was streamed or done is here, however it ended."""

    status: RunStatus
    pieces: tuple[TextPiece, ...] = ()
    """In order; the last one is the answer."""
    tool_calls: tuple[ToolCallRecord, ...] = ()
    """In the order they were asked for."""
    claims: tuple[Claim, ...] = ()
    """Of the last piece."""
    usage: Usage = Usage()
    usage_by_model: tuple[ModelUsage, ...] = ()
    error_code: str | None = None
    error_message: str | None = None
    finish_reason: str = "stop"
    """Why the LLM ended its answer: `length` means that it was cut off."""
