"""What is shown of stored things: the read side's values, in the JSON shapes clients rely on.

Storage fills them, services choose them, the REST door encodes them. They carry no rules.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from agents.claims import Claim
from app.domain.agents import AgentMemory, AgentStatus, AgentTool, AgentType
from app.domain.costs import Receipt
from app.domain.predictions import GradeView

ConversationStatus = Literal["active", "paused", "completed", "abandoned"]
CostGrouping = Literal["conversation", "agent", "model", "day"]

Position = tuple[datetime, UUID]
"""Where a page ended: the sort time and the id of its last item."""


class View(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What every view shares."""


class Cost(View, frozen=True):
    """A sum of money; `priced` false means that the true sum is higher."""

    amount: str
    currency: str = "USD"
    priced: bool = True


class TextMatch(msgspec.Struct, frozen=True):
    """What to look for: whole-word prefixes if `words`, else the characters of `pattern`."""

    words: str | None
    """For `to_tsquery`."""
    pattern: str
    """For ILIKE."""


class ConversationFilter(msgspec.Struct, frozen=True):
    """Which conversations a list shows."""

    match: TextMatch | None = None
    status: ConversationStatus | None = None
    pinned: bool | None = None
    agent_id: UUID | None = None


class ConversationChange(msgspec.Struct, frozen=True):
    """What a PATCH changes; None leaves it alone."""

    title: str | None = None
    pinned: bool | None = None
    status: ConversationStatus | None = None


class AgentBadge(View, frozen=True):
    """The agent a conversation is pinned to, in short."""

    id: UUID
    name: str
    type: AgentType
    version: int


class ConversationView(View, frozen=True):
    """The seed's Conversation without its messages, and what a list shows beside it."""

    id: UUID
    user_id: UUID
    agent_id: UUID
    session_id: str
    context: dict[str, Any]
    status: ConversationStatus
    started_at: datetime
    ended_at: datetime | None
    updated_at: datetime
    metadata: dict[str, Any] | None
    title: str
    pinned: bool
    agent: AgentBadge
    message_count: int
    last_message: str | None
    """The beginning of the newest message."""
    cost: Cost
    running: UUID | None
    """The run in progress."""
    last_seq: int
    """Newest sequence number of the journal: where to subscribe from."""
    read_seq: int
    """Up to where its owner has read, in whichever browser; below `last_seq` it is unread."""


class ToolCallView(View, frozen=True):
    """The seed's ToolCall; `id` is what claims and events name."""

    id: str
    tool_name: str
    input: dict[str, Any]
    output: dict[str, Any]
    duration: int
    status: Literal["success", "failure"]


class AttachmentView(View, frozen=True):
    """The seed's Attachment; charts bring their card along."""

    id: UUID
    type: Literal["image", "file", "chart"]
    url: str
    mime_type: str
    size: int
    content: dict[str, Any] | None


class MessageView(View, frozen=True):
    """The seed's Message with its evidence and its price."""

    id: UUID
    conversation_id: UUID
    role: Literal["user", "assistant", "system"]
    content: str
    attachments: tuple[AttachmentView, ...]
    tool_calls: tuple[ToolCallView, ...]
    claims: tuple[Claim, ...]
    timestamp: datetime
    tokens: int
    cost: str | None
    run_id: UUID | None
    parent_id: UUID | None
    stopped: Literal["cancelled", "failed"] | None
    error_code: str | None
    """Why the run failed, on the message it ended with."""
    superseded: bool
    """A regenerated or edited turn has replaced this."""
    receipt: Receipt | None
    """On the last assistant message of a run."""
    grades: tuple[GradeView, ...] = ()
    """How the forecasts it shows turned out, as far as that is known when it is read."""


class CitedClaim(View, frozen=True):
    """A claim beside the tool call it points to."""

    claim: Claim
    tool_call: ToolCallView | None


class SearchHit(View, frozen=True):
    """One message, or one conversation's title, that holds what was looked for."""

    conversation_id: UUID
    message_id: UUID | None
    """None: the title is what matched."""
    title: str
    snippet: str
    """Hits stand between U+0001 and U+0002."""
    timestamp: datetime


class FoundText(msgspec.Struct, frozen=True):
    """What a search found, before its snippet is cut."""

    conversation_id: UUID
    message_id: UUID | None
    title: str
    text: str
    timestamp: datetime


class RunView(View, frozen=True):
    """A run as its owner sees it."""

    id: UUID
    conversation_id: UUID
    agent_id: UUID
    agent_version: int
    mode: Literal["answer", "regenerate", "edit", "alert"]
    status: Literal["running", "finished", "cancelled", "failed"]
    user_message_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    error_code: str | None
    input_tokens: int
    output_tokens: int
    receipt: Receipt | None


class RunEvent(View, frozen=True):
    """One journal entry of a run: the AG-UI event as the socket sends it."""

    seq: int
    event: dict[str, Any]


class CostLine(View, frozen=True):
    """One provider attempt of a run."""

    provider: str
    model: str
    status: Literal["reserved", "settled"]
    outcome: Literal["pending", "succeeded", "failed", "cancelled", "interrupted"]
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    amount: str | None
    """None: no known price."""
    estimated: bool
    latency_ms: int
    created_at: datetime


class RunReceipt(View, frozen=True):
    """What a run cost in all, and attempt by attempt."""

    run_id: UUID
    receipt: Receipt
    entries: tuple[CostLine, ...]


class CostGroup(View, frozen=True):
    """What one conversation, agent, model or day has cost."""

    key: str
    label: str
    amount: str
    currency: str
    priced: bool
    estimated: bool
    attempts: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int


class AgentMetrics(View, frozen=True):
    """The seed's AgentMetrics over all runs; averages are None before the first run has ended."""

    total_requests: int
    avg_response_time: float | None
    """Milliseconds from the question to the end of the answer."""
    success_rate: float | None
    """0 to 1; an answer the user stopped counts neither way."""
    avg_tokens_used: float | None
    total_cost: str
    priced: bool
    last_active_at: datetime | None


class AgentView(View, frozen=True):
    """The seed's AIAgent."""

    id: UUID
    name: str
    type: AgentType
    version: int
    capabilities: tuple[str, ...]
    llm_provider: str | None
    llm_model: str | None
    system_prompt: str
    temperature: float
    max_tokens: int
    tools: tuple[AgentTool, ...]
    memory: AgentMemory
    status: AgentStatus
    metrics: AgentMetrics
    created_at: datetime
    updated_at: datetime


class AgentVersionView(View, frozen=True):
    """One earlier or current configuration of an agent."""

    version: int
    capabilities: tuple[str, ...]
    llm_provider: str | None
    llm_model: str | None
    system_prompt: str
    temperature: float
    max_tokens: int
    tools: tuple[AgentTool, ...]
    memory: AgentMemory
    created_by: UUID | None
    created_at: datetime


class ApiKeyView(View, frozen=True):
    """An API key without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
