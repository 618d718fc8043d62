"""Reads messages with what hangs on them. Everything here is bound to their owner's `user_id`."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from agents.claims import Claim
from app.domain.forecast_words import forecast_ids, grade_view
from app.domain.ids import UserId
from app.domain.money import plain
from app.domain.predictions import GradeView
from app.domain.views import AttachmentView, CitedClaim, MessageView, Position, ToolCallView
from app.storage.engine import Database, Record
from app.storage.prediction_rows import PREDICTION_COLUMNS, prediction_of
from app.storage.rows import from_json, receipt_of

_MESSAGE = """
SELECT m.id, m.conversation_id, m.run_id, m.parent_id, m.role, m.content, m.tokens, m.cost,
       m.stopped, m.timestamp, m.superseded_at,
       r.receipt::text, r.error_code
  FROM messages m
  JOIN conversations c ON c.id = m.conversation_id
  LEFT JOIN runs r ON r.id = m.run_id AND m.role = 'assistant' AND NOT EXISTS (
       SELECT 1 FROM messages later
        WHERE later.conversation_id = m.conversation_id AND later.run_id = m.run_id
          AND later.role = 'assistant' AND later.parent_id = m.id)
"""
"""The pieces of an answer share a time and each names the one before it as its parent: receipt and
error stand on the one that nothing of its run follows."""

_TOOL_CALLS = """
SELECT message_id, call_id, tool_name, input::text, output::text, duration_ms, status
  FROM tool_calls WHERE message_id = ANY($1) ORDER BY message_id, position
"""
# A claim may cite a call of an earlier answer. Where an id was used twice, the newest is meant.
_CITED_CALLS = """
SELECT t.call_id, t.tool_name, t.input::text, t.output::text, t.duration_ms, t.status
  FROM messages claimant
  JOIN messages m ON m.conversation_id = claimant.conversation_id
       AND m.timestamp <= claimant.timestamp
  JOIN tool_calls t ON t.message_id = m.id
 WHERE claimant.id = $1 AND t.call_id = ANY($2::text[])
 ORDER BY m.timestamp, m.id = claimant.id, m.id, t.position
"""
_CLAIMS = """
SELECT message_id, position, start, "end", text, status, value::text, call_id, tool, path, label,
       unit, as_of, source
  FROM claims WHERE message_id = ANY($1) ORDER BY message_id, position
"""
_ATTACHMENTS = """
SELECT id, message_id, type, url, mime_type, size, content::text
  FROM attachments WHERE message_id = ANY($1) ORDER BY id
"""


class MessageReads:
    """The part of `ConversationStore` that reads messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def messages(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        superseded: bool,
        before: Position | None,
        limit: int,
    ) -> list[MessageView]:
        """Return messages, newest first."""
        rows = await self._database.fetch(
            f"""
            {_MESSAGE}
             WHERE m.conversation_id = $1 AND c.user_id = $2
               AND ($3 OR m.superseded_at IS NULL)
               AND ($4::timestamptz IS NULL OR (m.timestamp, m.id) < ($4, $5::uuid))
             ORDER BY m.timestamp DESC, m.id DESC LIMIT $6
            """,
            conversation_id,
            user_id,
            superseded,
            *(before or (None, None)),
            limit,
        )
        return await self._whole(rows)

    async def messages_after(
        self, conversation_id: UUID, user_id: UserId, *, after: Position | None, limit: int
    ) -> list[MessageView]:
        """Return messages that nothing replaced, oldest first."""
        rows = await self._database.fetch(
            f"""
            {_MESSAGE}
             WHERE m.conversation_id = $1 AND c.user_id = $2 AND m.superseded_at IS NULL
               AND ($3::timestamptz IS NULL OR (m.timestamp, m.id) > ($3, $4::uuid))
             ORDER BY m.timestamp, m.id LIMIT $5
            """,
            conversation_id,
            user_id,
            *(after or (None, None)),
            limit,
        )
        return await self._whole(rows)

    async def claims(self, message_id: UUID, user_id: UserId) -> list[CitedClaim] | None:
        """Return a message's claims; None when there is no such message."""
        owned = await self._database.fetchval(
            "SELECT true FROM messages m JOIN conversations c ON c.id = m.conversation_id"
            " WHERE m.id = $1 AND c.user_id = $2",
            message_id,
            user_id,
        )
        if not owned:
            return None
        claims = await self._database.fetch(_CLAIMS, [message_id])
        cited = [row["call_id"] for row in claims if row["call_id"] is not None]
        calls = await self._database.fetch(_CITED_CALLS, message_id, cited) if cited else []
        by_id = {row["call_id"]: _tool_call(row) for row in calls}
        return [
            CitedClaim(claim=_claim(row), tool_call=by_id.get(row["call_id"])) for row in claims
        ]

    async def attachment(
        self, message_id: UUID, attachment_id: UUID, user_id: UserId
    ) -> AttachmentView | None:
        """Return one attachment of a message of this user's."""
        row = await self._database.fetchrow(
            """
            SELECT x.id, x.message_id, x.type, x.url, x.mime_type, x.size, x.content::text
              FROM attachments x
              JOIN messages m ON m.id = x.message_id
              JOIN conversations c ON c.id = m.conversation_id
             WHERE x.id = $1 AND x.message_id = $2 AND c.user_id = $3
            """,
            attachment_id,
            message_id,
            user_id,
        )
        return _attachment(row) if row else None

    async def _whole(self, rows: Sequence[Record]) -> list[MessageView]:
        """Fetch what hangs on these messages, three queries whatever their number."""
        ids = [row["id"] for row in rows if row["role"] == "assistant"]
        everything = [row["id"] for row in rows]
        attachments: dict[UUID, list[AttachmentView]] = {}
        calls: dict[UUID, list[ToolCallView]] = {}
        claims: dict[UUID, list[Claim]] = {}
        if everything:
            for row in await self._database.fetch(_ATTACHMENTS, everything):
                attachments.setdefault(row["message_id"], []).append(_attachment(row))
        if ids:
            for row in await self._database.fetch(_TOOL_CALLS, ids):
                calls.setdefault(row["message_id"], []).append(_tool_call(row))
            for row in await self._database.fetch(_CLAIMS, ids):
                claims.setdefault(row["message_id"], []).append(_claim(row))
        grades = await self._grades(calls)
        return [
            MessageView(
                id=row["id"],
                conversation_id=row["conversation_id"],
                role=row["role"],
                content=row["content"],
                attachments=tuple(attachments.get(row["id"], ())),
                tool_calls=tuple(calls.get(row["id"], ())),
                claims=tuple(claims.get(row["id"], ())),
                timestamp=row["timestamp"],
                tokens=row["tokens"],
                cost=None if row["cost"] is None else plain(row["cost"]),
                run_id=row["run_id"],
                parent_id=row["parent_id"],
                stopped=row["stopped"],
                error_code=row["error_code"],
                superseded=row["superseded_at"] is not None,
                receipt=receipt_of(row["receipt"]),
                grades=tuple(grades.get(row["id"], ())),
            )
            for row in rows
        ]

    async def _grades(self, calls: dict[UUID, list[ToolCallView]]) -> dict[UUID, list[GradeView]]:
        """Return how the forecasts of messages turned out; one query, where there are any."""
        made = [
            (message_id, call.id, prediction_id)
            for message_id, of_message in calls.items()
            for call in of_message
            for prediction_id in forecast_ids(call.tool_name, call.output)
        ]
        if not made:
            return {}
        rows = await self._database.fetch(
            f"SELECT {PREDICTION_COLUMNS} FROM predictions p JOIN models m ON m.id = p.model_id"
            " WHERE p.id = ANY($1::uuid[])",
            [prediction_id for _, _, prediction_id in made],
        )
        known = {row["id"]: prediction_of(row) for row in rows}
        grades: dict[UUID, list[GradeView]] = {}
        for message_id, call_id, prediction_id in made:
            if prediction_id in known:
                grades.setdefault(message_id, []).append(grade_view(known[prediction_id], call_id))
        return grades


def _tool_call(row: Record) -> ToolCallView:
    return ToolCallView(
        id=row["call_id"],
        tool_name=row["tool_name"],
        input=from_json(row["input"]),
        output=from_json(row["output"]),
        duration=row["duration_ms"],
        status=row["status"],
    )


def _attachment(row: Record) -> AttachmentView:
    return AttachmentView(
        id=row["id"],
        type=row["type"],
        url=row["url"],
        mime_type=row["mime_type"],
        size=row["size"],
        content=from_json(row["content"]),
    )


def _claim(row: Record) -> Claim:
    return msgspec.convert(
        {
            "index": row["position"],
            "start": row["start"],
            "end": row["end"],
            "text": row["text"],
            "status": row["status"],
            "value": from_json(row["value"]),
            "toolCallId": row["call_id"],
            "tool": row["tool"],
            "path": row["path"],
            "label": row["label"],
            "unit": row["unit"],
            "asOf": row["as_of"],
            "source": row["source"],
        },
        Claim,
    )
