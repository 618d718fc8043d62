"""A run: one answer in the making, and how it may end."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from app.domain.agents import Agent
from app.domain.ids import AgentId, ConversationId, MessageId, RunId, UserId

RunStatus = Literal["running", "finished", "cancelled", "failed"]
RunMode = Literal["answer", "regenerate", "edit", "alert"]


class StartRun(msgspec.Struct, frozen=True):
    """A wish to have something answered, as it came through any door."""

    command_id: str
    """Unique per principal: the same id with the same body is the same run."""
    conversation_id: ConversationId
    run_id: RunId
    message_id: MessageId | None
    """The new user message; None when regenerating."""
    content: str
    agent: str | None = None
    """Name or id; only read when the conversation is created."""
    mode: RunMode = "answer"
    from_message_id: MessageId | None = None
    session_id: str = ""
    attachments: tuple[dict[str, Any], ...] = ()


class Run(msgspec.Struct, frozen=True):
    """A run as stored."""

    id: RunId
    conversation_id: ConversationId
    user_id: UserId
    agent_id: AgentId
    agent_version: int
    status: RunStatus
    user_message_id: MessageId | None
    started_at: datetime
    ended_at: datetime | None = None
    error_code: str | None = None


class StartedRun(msgspec.Struct, frozen=True):
    """A run as `RunStore.start` left it."""

    run: Run
    agent: Agent
    """At the version the conversation is pinned to."""
    created: bool
    """False: this command id was taken up before; nothing changed."""
    last_seq: int
    """Highest sequence number of the conversation's journal before this run."""
    question: str
    """The text of the user message this run answers."""


class StoredEvent(msgspec.Struct, frozen=True):
    """One entry of a conversation's journal, as it is kept and replayed.

    Text deltas keep only the delta in `payload`; every other type keeps the AG-UI event's JSON
    without `metadata.outcry.seq`, which is added when it is sent.
    """

    conversation_id: ConversationId
    seq: int
    run_id: RunId
    type: str
    """AG-UI event type."""
    payload: str
    message_id: str | None = None
    """Only for text deltas."""
