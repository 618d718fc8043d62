"""Runs that nobody executes any more, and what they had spent."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from agents.messages import Message, Usage
from app.domain.costs import CostEntry
from app.domain.ids import AgentId, AttemptId, ConversationId, MessageId, RunId, UserId
from app.domain.runs import Run, RunMode
from app.storage.engine import Database, Record
from app.storage.journal_store import ORPHANED_EVENTS
from app.storage.liveness import living
from app.storage.runs import StoredRuns

_UPTIME_S = 5.0
"""After a restart of Postgres, living processes get this long to take their locks again."""
_RECONNECT_S = 1.0
_BEGINNING_S = 30.0
"""A run of our own that is stored but not executed after so long never will be."""
_HISTORY_TURNS = 10
_LONGEST_RUN_S = 600.0
_NO_RUN = UUID(int=0)


class Orphans:
    """Implements `app.services.conversations.recovery.OrphanStore`."""

    def __init__(
        self, database: Database, *, owner: str, is_running: Callable[[RunId], bool]
    ) -> None:
        self._database = database
        self._owner = owner
        self._is_running = is_running

    async def orphans(self) -> Sequence[Run]:
        """Return running runs of processes that no longer hold their lock, and lost ones of ours.

        Ours get lost when the answer to their commit never came.
        """
        rows = await self._database.fetch(
            """
            SELECT id, conversation_id, user_id, agent_id, agent_version, user_message_id,
                   started_at, owner, owner = $1 AS is_ours
            FROM runs
            WHERE status = 'running'
              AND (owner <> $1 OR started_at < now() - make_interval(secs => $2))
            ORDER BY started_at
            """,
            self._owner,
            _BEGINNING_S,
        )
        if not rows:
            return []
        # Ours are judged at once: later they may have ended, and would look lost.
        lost = [row for row in rows if row["is_ours"] and not self._is_running(RunId(row["id"]))]
        others = {row["owner"] for row in rows if not row["is_ours"]}
        alive = await self._living(others) if others else set()
        lost += [row for row in rows if not row["is_ours"] and row["owner"] not in alive]
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
            for row in lost
        ]

    async def _living(self, owners: set[str]) -> set[str]:
        uptime_s = await self._database.fetchval(
            "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8"
        )
        if uptime_s < _UPTIME_S:
            await asyncio.sleep(_UPTIME_S - uptime_s)
        async with self._database.connection() as connection:
            alive = await living(owners, connection)
        if dead := owners - alive:
            # One that lost nothing but its connection takes its lock again at once.
            await asyncio.sleep(_RECONNECT_S)
            async with self._database.connection() as connection:
                alive |= await living(dead, connection)
        return alive

    async def question(self, run: Run) -> tuple[str, RunMode]:
        """Return what the run was to answer, and how."""
        row = await self._database.fetchrow(
            """
            SELECT m.content, r.mode FROM runs r LEFT JOIN messages m ON m.id = r.user_message_id
            WHERE r.id = $1
            """,
            run.id,
        )
        return ("", "answer") if row is None else (row["content"] or "", row["mode"])

    async def history(self, run: Run) -> Sequence[Message]:
        """Return the turns before the run, oldest first."""
        return await StoredRuns(self._database).history(
            run.conversation_id, before_run=run.id, max_turns=_HISTORY_TURNS
        )

    async def cost_entries(self, run_id: RunId) -> Sequence[CostEntry]:
        """Return the run's cost entries, oldest first."""
        rows = await self._database.fetch(
            "SELECT * FROM cost_entries WHERE run_id = $1 ORDER BY created_at, id", run_id
        )
        return [_entry(row, run_id) for row in rows]

    async def abandoned_entries(self) -> Sequence[CostEntry]:
        """Return open cost entries whose run was deleted so long ago that it cannot go on.

        What such a run told its journal after the deletion, and its process died before it could
        take back, is taken away here.
        """
        rows = await self._database.fetch(
            """
            SELECT * FROM cost_entries
             WHERE status = 'reserved' AND run_id IS NULL
               AND created_at < now() - make_interval(secs => $1)
            """,
            _LONGEST_RUN_S,
        )
        if rows:
            await self._database.execute(
                ORPHANED_EVENTS, list({row["conversation_id"] for row in rows})
            )
        return [_entry(row, RunId(_NO_RUN)) for row in rows]


def _entry(row: Record, run_id: RunId) -> CostEntry:
    return CostEntry(
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
