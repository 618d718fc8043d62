"""Six kinds of identity that must not be swapped, all UUIDv7 unless a client chose them."""

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

UserId = NewType("UserId", UUID)
AgentId = NewType("AgentId", UUID)
ConversationId = NewType("ConversationId", UUID)
MessageId = NewType("MessageId", UUID)
RunId = NewType("RunId", UUID)
AttemptId = NewType("AttemptId", UUID)


def new_id() -> UUID:
    """Return a fresh UUIDv7 (RFC 9562): sortable by the time it was made."""
    return uuid7()
