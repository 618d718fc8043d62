"""What scoring news by an LLM cost: settled entries that belong to no conversation."""

from uuid import UUID

from agents.news_scorer import Asked
from app.domain.costs import NEWS_SCORING
from app.domain.ids import UserId, new_id
from app.storage.engine import Database

_INSERT = """
INSERT INTO cost_entries (id, conversation_id, user_id, agent_id, provider, model, status, outcome,
       input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
       reserved_usd, amount_usd, estimated, latency_ms, created_at, settled_at)
VALUES ($1, $2, $3, $2, $4, $5, 'settled', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::int,
        now() - make_interval(secs => $15::int / 1000.0), now())
"""


class ScoringCosts:
    """Writes one entry an attempt, for whoever owns the desk."""

    def __init__(self, database: Database, owner: UserId) -> None:
        self._database = database
        self._owner = owner

    async def add(self, asked: Asked) -> None:
        """Keep what an attempt cost."""
        used = asked.usage
        await self._database.execute(
            _INSERT,
            new_id(),
            UUID(NEWS_SCORING),
            self._owner,
            asked.provider,
            asked.model,
            "succeeded" if asked.answered else "failed",
            used.input_tokens,
            used.output_tokens,
            used.cache_read_tokens,
            used.cache_write_tokens,
            used.reasoning_tokens,
            asked.reserved_usd,
            asked.amount_usd,
            asked.estimated,
            asked.latency_ms,
        )
