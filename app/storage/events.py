"""Read the journal back, and tell whose a conversation is."""

from uuid import UUID

from app.domain.ids import ConversationId, RunId, UserId
from app.domain.runs import StoredEvent
from app.storage.engine import Database, Record

_COLUMNS = "conversation_id, seq, run_id, type, payload, message_id"
# A place in the journal is never given twice, even when the events that had it are kept no more.
_BOUNDS = """
SELECT e.oldest, coalesce(greatest(e.newest, c.last_seq), 0)
  FROM (SELECT min(seq) AS oldest, max(seq) AS newest
          FROM run_events WHERE conversation_id = $1) AS e
  LEFT JOIN conversations c ON c.id = $1
"""
_READ = f"""
SELECT {_COLUMNS} FROM run_events WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
# A running run is the conversation's last: whatever ended before it need not be read.
_OF_RUN = f"""
SELECT {_COLUMNS} FROM run_events
 WHERE conversation_id = $1 AND run_id = $2
   AND seq > (SELECT coalesce(max(c.last_seq), 0) FROM conversations c JOIN runs r
                  ON r.id = $2 AND r.conversation_id = c.id AND r.status = 'running'
               WHERE c.id = $1)
 ORDER BY seq
"""
_OWNER = "SELECT user_id FROM conversations WHERE id = $1"


class StoredEvents:
    """Implements `EventStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bounds(self, conversation_id: ConversationId) -> tuple[int, int]:
        """Return (oldest kept seq, newest seq); (1, 0) when there is none."""
        row = await self._database.fetchrow(_BOUNDS, conversation_id)
        oldest, newest = (None, 0) if row is None else tuple(row)
        return newest + 1 if oldest is None else oldest, newest

    async def read(
        self, conversation_id: ConversationId, *, after: int, limit: int
    ) -> list[StoredEvent]:
        """Return the next `limit` events after `after`, in order."""
        rows = await self._database.fetch(_READ, conversation_id, after, limit)
        return [_event(row) for row in rows]

    async def of_run(self, run_id: RunId, conversation_id: ConversationId) -> list[StoredEvent]:
        """Return all events of one run, in order."""
        rows = await self._database.fetch(_OF_RUN, conversation_id, run_id)
        return [_event(row) for row in rows]


class StoredOwners:
    """Implements `Owners`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owner(self, conversation_id: ConversationId) -> UserId | None:
        """Return the user whose conversation it is, None if there is no such conversation."""
        owner: UUID | None = await self._database.fetchval(_OWNER, conversation_id)
        return None if owner is None else UserId(owner)


def _event(row: Record) -> StoredEvent:
    return StoredEvent(*row.values())
