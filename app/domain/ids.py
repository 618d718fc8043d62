"""Six kinds of identity that must not be swapped, all UUIDv7 unless a client chose them.

Rows that hang on one of these and may be written twice (by a run and by its recovery) have derived
ids, so that the second writing changes nothing.
"""

from typing import NewType
from uuid import UUID, uuid5

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


def derived_id(owner: UUID, *what: object) -> UUID:
    """Return the one id of something that belongs to `owner`: the same whoever writes it, and
    however often."""
    return uuid5(owner, "/".join(map(str, what)))
