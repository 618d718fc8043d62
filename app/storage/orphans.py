"""Runs that a dead process left running, and what they had spent."""

from collections.abc import Sequence

from agents.messages import Usage
from app.domain.costs import CostEntry
from app.domain.ids import AgentId, AttemptId, ConversationId, MessageId, RunId, UserId
from app.domain.runs import Run
from app.storage.engine import Database
from app.storage.liveness import is_alive


class Orphans:
    """Implements `app.services.recovery.OrphanStore`."""

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def orphans(self) -> Sequence[Run]:
        """Return running runs of processes that no longer hold their lock."""
        rows = await self._database.fetch(
            """
            SELECT id, conversation_id, user_id, agent_id, agent_version, user_message_id,
                   started_at, owner
            FROM runs WHERE status = 'running' AND owner <> $1 ORDER BY started_at
            """,
            self._owner,
        )
        if not rows:
            return []
        owners = {row["owner"] for row in rows}
        async with self._database.connection() as connection:
            alive = {owner for owner in owners if await is_alive(owner, connection)}
        return [
            Run(
                id=RunId(row["id"]),
                conversation_id=ConversationId(row["conversation_id"]),
                user_id=UserId(row["user_id"]),
                agent_id=AgentId(row["agent_id"]),
                agent_version=row["agent_version"],
                status="running",
                user_message_id=MessageId(row["user_message_id"])
                if row["user_message_id"]
                else None,
                started_at=row["started_at"],
            )
            for row in rows
            if row["owner"] not in alive
        ]

    async def cost_entries(self, run_id: RunId) -> Sequence[CostEntry]:
        """Return the run's cost entries, oldest first."""
        rows = await self._database.fetch(
            "SELECT * FROM cost_entries WHERE run_id = $1 ORDER BY created_at, id", run_id
        )
        return [
            CostEntry(
                id=AttemptId(row["id"]),
                run_id=run_id,
                conversation_id=ConversationId(row["conversation_id"]),
                user_id=UserId(row["user_id"]),
                agent_id=row["agent_id"],
                provider=row["provider"],
                model=row["model"],
                status=row["status"],
                outcome=row["outcome"],
                usage=Usage(
                    input_tokens=row["input_tokens"],
                    output_tokens=row["output_tokens"],
                    cache_read_tokens=row["cache_read_tokens"],
                    cache_write_tokens=row["cache_write_tokens"],
                    reasoning_tokens=row["reasoning_tokens"],
                ),
                reserved_usd=row["reserved_usd"],
                amount_usd=row["amount_usd"],
                estimated=row["estimated"],
                latency_ms=row["latency_ms"],
                created_at=row["created_at"],
                settled_at=row["settled_at"],
            )
            for row in rows
        ]
