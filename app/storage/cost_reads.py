"""Adds up settled cost entries."""

from datetime import datetime

from app.domain.costs import NEWS_SCORING, PREDICTING
from app.domain.ids import UserId
from app.domain.money import plain
from app.domain.views import CostGroup, CostGrouping
from app.storage.engine import Database

_SCORING = "news scoring (outcry score)"
_PREDICTING = "predictions (models that ask an LLM)"
_GROUPS: dict[CostGrouping, tuple[str, str, str]] = {
    "conversation": (
        "k.conversation_id::text",
        f"max(CASE k.conversation_id WHEN '{NEWS_SCORING}' THEN '{_SCORING}'"
        f" WHEN '{PREDICTING}' THEN '{_PREDICTING}' ELSE"
        " (SELECT c.title FROM conversations c WHERE c.id = k.conversation_id) END)",
        "amount DESC, key",
    ),
    "agent": (
        "k.agent_id::text",
        f"max(CASE k.agent_id WHEN '{NEWS_SCORING}' THEN '{_SCORING}'"
        f" WHEN '{PREDICTING}' THEN '{_PREDICTING}' ELSE"
        " (SELECT a.name FROM agents a WHERE a.id = k.agent_id) END)",
        "amount DESC, key",
    ),
    "model": ("k.provider || '/' || k.model", "max(k.model)", "amount DESC, key"),
    "day": (
        "to_char(k.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "to_char(max(k.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "key DESC",
    ),
}
"""Per grouping: its key, its label, its order. Constants: nothing a caller says goes in here."""


class CostReads:
    """Implements `app.services.conversations.costs_report.CostStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(
        self,
        group_by: CostGrouping,
        *,
        user_id: UserId | None,
        start: datetime | None,
        end: datetime | None,
        offset: int,
        limit: int,
    ) -> list[CostGroup]:
        """Return totals per group, dearest first (days: newest first); no user: everybody's."""
        key, label, order = _GROUPS[group_by]
        rows = await self._database.fetch(
            f"""
            SELECT {key} AS key, {label} AS label, coalesce(sum(k.amount_usd), 0) AS amount,
                   bool_and(k.amount_usd IS NOT NULL) AS priced, bool_or(k.estimated) AS estimated,
                   count(*) AS attempts, sum(k.input_tokens)::bigint AS input_tokens,
                   sum(k.output_tokens)::bigint AS output_tokens,
                   sum(k.cache_read_tokens)::bigint AS cached_tokens
              FROM cost_entries k
             WHERE k.status = 'settled'
               AND ($1::uuid IS NULL OR k.user_id = $1)
               AND ($2::timestamptz IS NULL OR k.created_at >= $2)
               AND ($3::timestamptz IS NULL OR k.created_at < $3)
             GROUP BY {key} ORDER BY {order} OFFSET $4 LIMIT $5
            """,
            user_id,
            start,
            end,
            offset,
            limit,
        )
        return [
            CostGroup(
                key=row["key"],
                label=row["label"] or row["key"],
                amount=plain(row["amount"]),
                currency="USD",
                priced=row["priced"],
                estimated=row["estimated"],
                attempts=row["attempts"],
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cached_tokens=row["cached_tokens"],
            )
            for row in rows
        ]
