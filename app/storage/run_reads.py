"""Runs, their events and their provider attempts, for their owner."""

from uuid import UUID

from app.domain.ids import ConversationId, RunId, UserId
from app.domain.money import plain
from app.domain.runs import StoredEvent
from app.domain.views import CostLine, RunView
from app.storage.engine import Database
from app.storage.rows import receipt_of


class RunViews:
    """Implements `app.services.conversations.run_reads.RunReadStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, run_id: UUID, user_id: UserId) -> RunView | None:
        """Return one run of this user."""
        row = await self._database.fetchrow(
            """
            SELECT id, conversation_id, agent_id, agent_version, mode, status, user_message_id,
                   started_at, ended_at, error_code, input_tokens, output_tokens, receipt::text
              FROM runs WHERE id = $1 AND user_id = $2
            """,
            run_id,
            user_id,
        )
        if row is None:
            return None
        columns = dict(row)
        return RunView(**{**columns, "receipt": receipt_of(columns["receipt"])})

    async def events(self, run: RunView, *, after: int, limit: int) -> list[StoredEvent]:
        """Return journal entries of a run beyond `after`, in order."""
        rows = await self._database.fetch(
            """
            SELECT seq, type, message_id, payload FROM run_events
             WHERE conversation_id = $1 AND run_id = $2 AND seq > $3
             ORDER BY seq LIMIT $4
            """,
            run.conversation_id,
            run.id,
            after,
            limit,
        )
        return [
            StoredEvent(
                conversation_id=ConversationId(run.conversation_id),
                run_id=RunId(run.id),
                seq=row["seq"],
                type=row["type"],
                message_id=row["message_id"],
                payload=row["payload"],
            )
            for row in rows
        ]

    async def cost_lines(self, run_id: UUID) -> list[CostLine]:
        """Return the provider attempts of a run, in order."""
        rows = await self._database.fetch(
            """
            SELECT provider, model, status, outcome, input_tokens, output_tokens,
                   cache_read_tokens, amount_usd, estimated, latency_ms, created_at
              FROM cost_entries WHERE run_id = $1 ORDER BY created_at, id
            """,
            run_id,
        )
        return [
            CostLine(
                provider=row["provider"],
                model=row["model"],
                status=row["status"],
                outcome=row["outcome"],
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cached_tokens=row["cache_read_tokens"],
                amount=None if row["amount_usd"] is None else plain(row["amount_usd"]),
                estimated=row["estimated"],
                latency_ms=row["latency_ms"],
                created_at=row["created_at"],
            )
            for row in rows
        ]
