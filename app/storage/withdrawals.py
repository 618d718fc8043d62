"""Episodes that a correction took away: marked, never deleted, and told of once."""

from datetime import datetime, timedelta
from uuid import UUID

from app.domain.alerts import Unopened, Withdrawal
from app.domain.ids import ConversationId
from app.storage.alerts import ALERT, EPISODE, alert_of, episode_of
from app.storage.engine import Database

# A bar that is judged again must not have been seen, and nothing may look open that is not.
_WITHDRAW = """
WITH gone AS (
       UPDATE alert_episodes e
          SET withdrawn_at = $2, withdrawn_because = $3, ended_at = coalesce(ended_at, $2)
        WHERE id = $1 AND withdrawn_at IS NULL
       RETURNING alert_id, (SELECT ended_at FROM alert_episodes WHERE id = $1) AS ended_before),
     again AS (
       UPDATE alerts a SET watch = '{"state": "armed"}'::jsonb, last_bar_time = $4
         FROM gone WHERE a.id = gone.alert_id AND gone.ended_before IS NULL)
SELECT alert_id FROM gone
"""
_SINCE = f"""
SELECT {EPISODE}, {ALERT} FROM alert_episodes e JOIN alerts a ON a.id = e.alert_id
 WHERE a.symbol = $1 AND a.timeframe = $2 AND e.bar_time >= $3 AND e.withdrawn_at IS NULL
 ORDER BY e.bar_time, e.id LIMIT $4
"""
_UNTOLD = f"""
SELECT {EPISODE}, {ALERT} FROM alert_episodes e JOIN alerts a ON a.id = e.alert_id
 WHERE e.withdrawn_at IS NOT NULL AND e.withdrawal_told_at IS NULL AND e.opened_at IS NOT NULL
 ORDER BY e.withdrawn_at LIMIT $1
"""
_TOLD = """
WITH told AS (
       UPDATE alert_episodes SET withdrawal_told_at = $2
        WHERE id = $1 AND withdrawal_told_at IS NULL RETURNING id),
     sent AS (
       INSERT INTO alert_deliveries (id, episode_id, event, body, next_attempt_at)
       SELECT $3, id, 'withdrawn', $4, $2 FROM told WHERE $4::text IS NOT NULL
       ON CONFLICT DO NOTHING)
SELECT id FROM told
"""


class StoredWithdrawals:
    """Implements `app.services.alerts.alert_ports.WithdrawalStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fired_since(
        self, symbol: str, timeframe: str, since: datetime, *, limit: int = 500
    ) -> list[Unopened]:
        """Return the episodes at bars of a series from `since` on, oldest first, with alerts."""
        rows = await self._database.fetch(_SINCE, symbol, timeframe, since, limit)
        return [Unopened(episode=episode_of(r), alert=alert_of(r), tries=r["tries"]) for r in rows]

    async def withdraw(self, one: Withdrawal, *, now: datetime) -> bool:
        """Mark an episode as withdrawn; False if it was.

        If it was going on, its alert is as before that bar, which can be judged again.
        """
        before = one.episode.bar_time - timedelta(microseconds=1)
        return bool(await self._database.write(_WITHDRAW, one.episode.id, now, one.because, before))

    async def has_conversation(self, conversation: ConversationId) -> bool:
        """Tell whether a conversation is still there."""
        return bool(
            await self._database.fetchval(
                "SELECT EXISTS (SELECT FROM conversations WHERE id = $1)", conversation
            )
        )

    async def untold(self, *, limit: int = 50) -> list[Unopened]:
        """Return withdrawn episodes whose conversation does not say so yet, oldest first."""
        rows = await self._database.fetch(_UNTOLD, limit)
        return [Unopened(episode=episode_of(r), alert=alert_of(r), tries=r["tries"]) for r in rows]

    async def told(
        self, episode: UUID, *, delivery_id: UUID, body: str | None, now: datetime
    ) -> bool:
        """Note that a withdrawal was told and, with a `body`, that it is to be sent; False if
        somebody else has."""
        return bool(await self._database.write(_TOLD, episode, now, delivery_id, body))
