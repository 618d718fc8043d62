"""Lists, searches and edits conversations. Everything here is bound to their owner's `user_id`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.ids import UserId
from app.domain.money import plain
from app.domain.views import (
    AgentBadge,
    ConversationChange,
    ConversationFilter,
    ConversationView,
    Cost,
    FoundText,
    Position,
    TextMatch,
)
from app.storage.engine import Record
from app.storage.message_reads import MessageReads
from app.storage.rows import from_json

_CONVERSATION = """
SELECT c.id, c.user_id, c.agent_id, c.agent_version, c.session_id, c.context::text, c.status,
       c.started_at, c.ended_at, c.updated_at, c.metadata::text, c.title, c.pinned,
       a.name AS agent_name, a.type AS agent_type,
       (SELECT count(*) FROM messages m
         WHERE m.conversation_id = c.id AND m.superseded_at IS NULL) AS message_count,
       (SELECT left(m.content, 640) FROM messages m
         WHERE m.conversation_id = c.id AND m.superseded_at IS NULL
         ORDER BY m.timestamp DESC, m.id DESC LIMIT 1) AS last_message,
       spent.amount, spent.priced,
       (SELECT r.id FROM runs r
         WHERE r.conversation_id = c.id AND r.status = 'running') AS running,
       greatest(c.last_seq, (SELECT max(e.seq) FROM run_events e
                             WHERE e.conversation_id = c.id)) AS last_seq,
       (SELECT p.seq FROM read_positions p
         WHERE p.conversation_id = c.id AND p.user_id = c.user_id) AS read_seq,
       EXISTS (SELECT 1 FROM runs r
                WHERE r.conversation_id = c.id AND r.mode = 'alert') AS by_alert
  FROM conversations c
  JOIN agents a ON a.id = c.agent_id
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(k.amount_usd), 0) AS amount,
              coalesce(bool_and(k.amount_usd IS NOT NULL), true) AS priced
         FROM cost_entries k
        WHERE k.conversation_id = c.id AND k.user_id = c.user_id AND k.status = 'settled') AS spent
"""


class ConversationReads(MessageReads):
    """Implements `app.services.conversations.conversations.ConversationStore`."""

    async def page(
        self,
        user_id: UserId,
        which: ConversationFilter,
        *,
        before: Position | None,
        limit: int,
    ) -> list[ConversationView]:
        """Return conversations, the latest changed first."""
        values: list[Any] = [user_id, limit]
        conditions = ["c.user_id = $1"]

        def where(condition: str, *given: object) -> None:
            numbers = range(len(values) + 1, len(values) + 1 + len(given))
            conditions.append(condition.format(*(f"${number}" for number in numbers)))
            values.extend(given)

        if before is not None:
            where("(c.updated_at, c.id) < ({}, {})", *before)
        if which.status is not None:
            where("c.status = {}", which.status)
        if which.pinned is not None:
            where("c.pinned = {}", which.pinned)
        if which.agent_id is not None:
            where("c.agent_id = {}", which.agent_id)
        if which.match is not None:
            text, value = _content_condition(which.match)
            where(
                "(c.title ILIKE {} OR EXISTS (SELECT 1 FROM messages m"
                " WHERE m.conversation_id = c.id AND m.superseded_at IS NULL AND " + text + "))",
                which.match.pattern,
                value,
            )
        rows = await self._database.fetch(
            f"{_CONVERSATION} WHERE {' AND '.join(conditions)}"
            " ORDER BY c.updated_at DESC, c.id DESC LIMIT $2",
            *values,
        )
        return [_conversation(row) for row in rows]

    async def find(self, conversation_id: UUID, user_id: UserId) -> ConversationView | None:
        """Return one conversation of this user."""
        row = await self._database.fetchrow(
            f"{_CONVERSATION} WHERE c.id = $1 AND c.user_id = $2", conversation_id, user_id
        )
        return _conversation(row) if row else None

    async def change(
        self, conversation_id: UUID, user_id: UserId, change: ConversationChange
    ) -> bool:
        """Apply a change; False when there is no such conversation."""
        changed = await self._database.write(
            """
            UPDATE conversations
               SET title = coalesce($3, title),
                   pinned = coalesce($4, pinned),
                   status = coalesce($5, status),
                   ended_at = CASE
                       WHEN $5 IN ('completed', 'abandoned') THEN coalesce(ended_at, $6)
                       WHEN $5 IN ('active', 'paused') THEN NULL
                       ELSE ended_at END
             WHERE id = $1 AND user_id = $2
            RETURNING id
            """,
            conversation_id,
            user_id,
            change.title,
            change.pinned,
            change.status,
            datetime.now(UTC),
        )
        return bool(changed)

    async def read_to(self, conversation_id: UUID, user_id: UserId, seq: int) -> int | None:
        """Note that its owner has read up to `seq`, never back; return up to where.

        None when there is no such conversation. What is not there yet is not read.
        """
        rows = await self._database.write(
            """
            INSERT INTO read_positions (user_id, conversation_id, seq)
            SELECT c.user_id, c.id,
                   least($3, greatest(c.last_seq, (SELECT max(e.seq) FROM run_events e
                                                    WHERE e.conversation_id = c.id)))
              FROM conversations c WHERE c.id = $1 AND c.user_id = $2
            ON CONFLICT (user_id, conversation_id) DO UPDATE
               SET seq = greatest(read_positions.seq, excluded.seq), read_at = now()
            RETURNING seq
            """,
            conversation_id,
            user_id,
            seq,
        )
        return rows[0]["seq"] if rows else None

    async def delete(self, conversation_id: UUID, user_id: UserId) -> bool | None:
        """Delete it and all that hangs on it; False: no such one, None: a run is in progress."""
        async with self._database.transaction() as connection:
            # The lock keeps a new run from starting between the check and the deletion.
            found = await connection.fetchval(
                "SELECT id FROM conversations WHERE id = $1 AND user_id = $2 FOR UPDATE",
                conversation_id,
                user_id,
            )
            if found is None:
                return False
            if await connection.fetchval(
                "SELECT true FROM runs WHERE conversation_id = $1 AND status = 'running'",
                conversation_id,
            ):
                return None
            await connection.execute("DELETE FROM conversations WHERE id = $1", conversation_id)
            return True

    async def search(
        self, user_id: UserId, match: TextMatch, *, before: Position | None, limit: int
    ) -> list[FoundText]:
        """Return messages that match, and titles where no message does, newest first."""
        text, value = _content_condition(match)
        rows = await self._database.fetch(
            f"""
            SELECT found.* FROM (
                SELECT c.id AS conversation_id, m.id AS message_id, c.title,
                       left(m.content, 100000) AS text, m.timestamp, m.id AS position
                  FROM messages m JOIN conversations c ON c.id = m.conversation_id
                 WHERE c.user_id = $1 AND m.superseded_at IS NULL AND {text.format("$2")}
                UNION ALL
                SELECT c.id, NULL, c.title, c.title, c.updated_at, c.id
                  FROM conversations c
                 WHERE c.user_id = $1 AND c.title ILIKE $3 AND NOT EXISTS (
                       SELECT 1 FROM messages m
                        WHERE m.conversation_id = c.id AND m.superseded_at IS NULL
                          AND {text.format("$2")})) AS found
             WHERE $4::timestamptz IS NULL OR (found.timestamp, found.position) < ($4, $5::uuid)
             ORDER BY found.timestamp DESC, found.position DESC LIMIT $6
            """,
            user_id,
            value,
            match.pattern,
            *(before or (None, None)),
            limit,
        )
        return [
            FoundText(
                conversation_id=row["conversation_id"],
                message_id=row["message_id"],
                title=row["title"],
                text=row["text"],
                timestamp=row["timestamp"],
            )
            for row in rows
        ]


def _content_condition(match: TextMatch) -> tuple[str, str]:
    """Return the SQL that a message must meet, with `{}` for its value, and the value."""
    if match.words is not None:
        return "m.search @@ to_tsquery('simple', {})", match.words
    return "m.content ILIKE {}", match.pattern


def _conversation(row: Record) -> ConversationView:
    snippet = row["last_message"]
    return ConversationView(
        id=row["id"],
        user_id=row["user_id"],
        agent_id=row["agent_id"],
        session_id=row["session_id"],
        context=from_json(row["context"]) or {},
        status=row["status"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        updated_at=row["updated_at"],
        metadata=from_json(row["metadata"]),
        title=row["title"],
        pinned=row["pinned"],
        agent=AgentBadge(
            id=row["agent_id"],
            name=row["agent_name"],
            type=row["agent_type"],
            version=row["agent_version"],
        ),
        message_count=row["message_count"],
        last_message=None if snippet is None else _shortened(snippet),
        cost=Cost(amount=plain(row["amount"]), priced=row["priced"]),
        running=row["running"],
        last_seq=row["last_seq"],
        read_seq=_read_seq(row),
    )


def _read_seq(row: Record) -> int:
    read: int | None = row["read_seq"]
    if read is not None:
        return read
    return 0 if row["by_alert"] else int(row["last_seq"])


def _shortened(text: str, width: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
