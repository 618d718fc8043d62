"""What one group commit writes: everything several runs said since the last one.

Writing the same batch twice leaves one copy, so a commit whose outcome is unknown is simply
written again.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from agents.claims import Claim
from agents.messages import Usage
from app.domain.costs import CostEntry, Receipt
from app.domain.ids import AttemptId, ConversationId, MessageId, RunId
from app.domain.runs import StoredEvent


class CostSettlement(msgspec.Struct, frozen=True):
    """Closes one reserved cost entry. The first one wins; later ones change nothing."""

    id: AttemptId
    outcome: Literal["succeeded", "failed", "cancelled", "interrupted"]
    usage: Usage
    amount_usd: Decimal | None
    estimated: bool
    latency_ms: int
    settled_at: datetime
    error_code: str | None = None


class NewMessage(msgspec.Struct, frozen=True):
    """One message row."""

    id: MessageId
    conversation_id: ConversationId
    run_id: RunId
    parent_id: MessageId | None
    role: Literal["user", "assistant", "system"]
    content: str
    timestamp: datetime
    tokens: int = 0
    cost: Decimal | None = None
    stopped: Literal["cancelled", "failed"] | None = None


class NewToolCall(msgspec.Struct, frozen=True):
    """One tool call row. `output` is `ToolResult.evidence()` or `{"error": sentence}`."""

    id: UUID
    message_id: MessageId
    run_id: RunId
    position: int
    call_id: str
    tool_name: str
    input: dict[str, Any]
    output: dict[str, Any]
    duration_ms: int
    status: Literal["success", "failure"]


class NewAttachment(msgspec.Struct, frozen=True):
    """A card an answer drew (type `chart`, its content kept), or a file a user sent."""

    id: UUID
    message_id: MessageId
    type: Literal["image", "file", "chart"]
    url: str
    mime_type: str
    size: int
    content: dict[str, Any] | None = None


class NewClaim(msgspec.Struct, frozen=True):
    """One claim row of a message."""

    message_id: MessageId
    claim: Claim


class RunEnd(msgspec.Struct, frozen=True):
    """The final state of a run. Applied only while the run is `running`."""

    run_id: RunId
    conversation_id: ConversationId
    status: Literal["finished", "cancelled", "failed"]
    ended_at: datetime
    usage: Usage
    receipt: Receipt | None
    error_code: str | None = None


class Batch(msgspec.Struct):
    """One transaction."""

    events: list[StoredEvent] = []
    reservations: list[CostEntry] = []
    settlements: list[CostSettlement] = []
    messages: list[NewMessage] = []
    tool_calls: list[NewToolCall] = []
    attachments: list[NewAttachment] = []
    claims: list[NewClaim] = []
    run_ends: list[RunEnd] = []
