"""What is sent of episodes, kept until it arrived or was given up."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.domain.alerts import Attempt, Delivery, DeliveryStatus
from app.domain.ids import UserId
from app.storage.engine import Database
from app.storage.secrets import Sealer

# A claim only moves the next attempt away: whoever claimed it and dies leaves it to be found again.
_CLAIM = """
WITH due AS (
       SELECT id FROM alert_deliveries WHERE status = 'pending' AND next_attempt_at <= $1
        ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED),
     claimed AS (
       UPDATE alert_deliveries d SET next_attempt_at = $3 FROM due WHERE d.id = due.id
       RETURNING d.id, d.episode_id, d.body, d.attempts)
SELECT c.id, c.body, jsonb_array_length(c.attempts) AS tries, a.id AS alert_id, a.webhook_url,
       a.webhook_off, a.secret_key_id, a.secret_sealed
  FROM claimed c JOIN alert_episodes e ON e.id = c.episode_id JOIN alerts a ON a.id = e.alert_id
"""
_DONE = """
UPDATE alert_deliveries
   SET status = $2, attempts = attempts || jsonb_build_array($3::jsonb), next_attempt_at = $4
 WHERE id = $1 AND status = 'pending'
"""
_OF_EPISODES = """
SELECT d.id, d.episode_id, e.alert_id, d.event, d.status, d.attempts, d.next_attempt_at
  FROM alert_deliveries d
  JOIN alert_episodes e ON e.id = d.episode_id JOIN alerts a ON a.id = e.alert_id
 WHERE e.id = ANY($1) AND a.user_id = $2 ORDER BY d.created_at, d.event
"""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery to be tried now."""

    id: UUID
    alert_id: UUID
    body: str
    tries: int
    url: str | None
    off: str | None
    secret: str | None


class StoredDeliveries:
    """Implements `app.services.alerts.webhooks.DeliveryStore`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def seal(self, alert_id: UUID, secret: str) -> tuple[str, bytes]:
        """Return a webhook's secret as it is stored."""
        return self._sealer.key_id, self._sealer.seal(_name(alert_id), secret)

    async def claim(self, *, now: datetime, lease_s: float, limit: int) -> list[Due]:
        """Return what is due, taken out of everybody else's reach for `lease_s`."""
        until = now + timedelta(seconds=lease_s)
        rows = await self._database.write(_CLAIM, now, limit, until)
        return [
            Due(
                id=row["id"],
                alert_id=row["alert_id"],
                body=row["body"],
                tries=row["tries"],
                url=row["webhook_url"],
                off=row["webhook_off"],
                secret=None
                if row["secret_sealed"] is None
                else self._sealer.open(
                    _name(row["alert_id"]), row["secret_key_id"], row["secret_sealed"]
                ),
            )
            for row in rows
        ]

    async def tried(
        self,
        delivery_id: UUID,
        attempt: Attempt,
        *,
        status: DeliveryStatus,
        next_attempt_at: datetime | None,
    ) -> None:
        """Keep what came of an attempt, and when the next one is due."""
        await self._database.execute(
            _DONE, delivery_id, status, msgspec.to_builtins(attempt), next_attempt_at
        )

    async def next_due(self) -> datetime | None:
        """Return when the next attempt is due, None when nothing waits."""
        found: datetime | None = await self._database.fetchval(
            "SELECT min(next_attempt_at) FROM alert_deliveries WHERE status = 'pending'"
        )
        return found

    async def switch_off(self, alert_id: UUID, reason: str) -> None:
        """Send nothing more to an alert's webhook until its owner says otherwise."""
        await self._database.execute(
            "UPDATE alerts SET webhook_off = $2 WHERE id = $1", alert_id, reason
        )

    async def of_episodes(
        self, user_id: UserId, episodes: list[UUID]
    ) -> dict[UUID, list[Delivery]]:
        """Return what was sent of a person's episodes, oldest first."""
        found: dict[UUID, list[Delivery]] = {}
        for row in await self._database.fetch(_OF_EPISODES, episodes, user_id):
            sent = Delivery(
                id=row["id"],
                episode_id=row["episode_id"],
                alert_id=row["alert_id"],
                event=row["event"],
                status=row["status"],
                attempts=tuple(msgspec.convert(one, Attempt) for one in row["attempts"]),
                next_attempt_at=row["next_attempt_at"],
            )
            found.setdefault(sent.episode_id, []).append(sent)
        return found

    async def rotate(self) -> None:
        """Seal every webhook's secret by the newest key; doubles as the check that all open.

        Raises:
            SealBroken: one cannot be opened.
        """
        rows = await self._database.fetch(
            "SELECT id, secret_key_id, secret_sealed FROM alerts WHERE secret_sealed IS NOT NULL"
        )
        for alert_id, key_id, sealed in rows:
            secret = self._sealer.open(_name(alert_id), key_id, sealed)
            if key_id != self._sealer.key_id:
                # Somebody may have changed it meanwhile: then theirs stays.
                await self._database.execute(
                    "UPDATE alerts SET secret_key_id = $3, secret_sealed = $4"
                    " WHERE id = $1 AND secret_sealed = $2",
                    alert_id,
                    sealed,
                    *self.seal(alert_id, secret),
                )


def _name(alert_id: UUID) -> str:
    return f"webhook of alert {alert_id}"
