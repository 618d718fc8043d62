"""What programs used of language models through `/v2`: entries that are reserved, then settled."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.domain.costs import PREDICTING, CallOutcome, ReservedCall
from app.domain.predictions import Spent
from app.storage.engine import Database

_RESERVE = """
INSERT INTO cost_entries (id, conversation_id, user_id, agent_id, provider, model, status, outcome,
       input_tokens, reserved_usd, created_at)
VALUES ($1, $2, $3, $2, $4, $5, 'reserved', 'pending', $6, $7, $8)
"""
_SETTLE = """
UPDATE cost_entries
   SET status = 'settled', outcome = $2, input_tokens = $3, output_tokens = $4,
       cache_read_tokens = $5, cache_write_tokens = $6, amount_usd = $7, estimated = $8,
       latency_ms = $9, settled_at = $10
 WHERE id = $1 AND status = 'reserved' RETURNING id
"""


class StoredCallCosts:
    """Implements `app.services.models.call_costs.CallCostStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, entries: Sequence[ReservedCall], *, now: datetime) -> None:
        """Write what is about to be used."""
        async with self._database.transaction() as connection:
            for one in entries:
                await connection.execute(
                    _RESERVE,
                    one.id,
                    UUID(PREDICTING),
                    one.user_id or UUID(PREDICTING),
                    one.provider,
                    one.model,
                    one.input_tokens,
                    one.reserved_usd,
                    now,
                )

    async def settle(
        self,
        entry: ReservedCall,
        spent: Spent,
        *,
        outcome: CallOutcome,
        latency_ms: int,
        now: datetime,
    ) -> bool:
        """Write what was used; False where that was written before."""
        used = spent.usage
        rows = await self._database.write(
            _SETTLE,
            entry.id,
            outcome,
            used.input_tokens,
            used.output_tokens,
            used.cache_read_tokens,
            used.cache_write_tokens,
            spent.amount_usd,
            not spent.is_complete,
            latency_ms,
            now,
        )
        return bool(rows)
