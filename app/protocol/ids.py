"""Ids as clients write them: any text for runs and messages, made into UUIDs here."""

from uuid import UUID, uuid5


def as_uuid(text: str) -> UUID | None:
    """Return `text` as a UUID, or None if it is none."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


def stable_id(thread_id: UUID, text: str) -> UUID:
    """Return a client's id as a UUID: itself, or the same UUID for the same text and thread."""
    return as_uuid(text) or uuid5(thread_id, text)
