"""Alerts and their episodes. Every read and write of a person's alert names the person.

`evaluate` locks the alerts that watch a bar, so two processes that see the same bar decide one
after the other, and the second finds that the bar was seen.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.alerts import (
    Alert,
    AlertPatch,
    Decision,
    Episode,
    Fired,
    OpeningRun,
    Rules,
    Unopened,
    Watch,
    conversation_id,
    episode_id,
)
from app.domain.ids import AgentId, ConversationId, UserId
from app.domain.views import Position
from app.storage.engine import Database, PooledConnection, Record

ALERT = """a.id, a.user_id, a.name, a.symbol, a.timeframe, a.condition, a.words, a.status,
       a.agent_id, a.rules, a.watch, a.webhook_url, a.webhook_off, a.last_bar_time, a.last_result,
       a.last_fired_at, a.created_at, a.updated_at"""
EPISODE = """e.id AS episode_id, e.alert_id, e.bar_time, e.fired_at, e.ended_at,
       e.ended_bar_time, e.evidence, e.conversation_id, e.opened_at, e.tries, e.withdrawn_at,
       e.withdrawn_because"""

_INSERT = """
INSERT INTO alerts (id, user_id, name, symbol, timeframe, condition, words, status, agent_id, rules,
       watch, webhook_url, secret_key_id, secret_sealed, created_at, updated_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15
 WHERE (SELECT count(*) FROM alerts WHERE user_id = $2) < $16
"""
_PAGE = f"""
SELECT {ALERT} FROM alerts a
 WHERE a.user_id = $1 AND ($2::text IS NULL OR a.symbol = $2)
   AND ($3::text IS NULL OR a.status = $3)
   AND ($4::timestamptz IS NULL OR (a.created_at, a.id) < ($4, $5::uuid))
 ORDER BY a.created_at DESC, a.id DESC LIMIT $6
"""
_FIND = f"SELECT {ALERT} FROM alerts a WHERE a.id = $1 AND a.user_id = $2"
_CHANGE = """
UPDATE alerts
   SET name = $3, symbol = $4, timeframe = $5, condition = $6, words = $7, status = $8,
       agent_id = $9, rules = $10, webhook_url = $11, webhook_off = $12,
       watch = CASE WHEN $13 THEN '{}'::jsonb ELSE watch END,
       last_bar_time = CASE WHEN $13 THEN NULL ELSE last_bar_time END,
       last_result = CASE WHEN $13 THEN NULL ELSE last_result END,
       updated_at = $14
 WHERE id = $1 AND user_id = $2
"""
_CLOSE = """
UPDATE alert_episodes SET ended_at = $2, ended_bar_time = $3
 WHERE alert_id = $1 AND ended_at IS NULL
"""
_EPISODES = f"""
SELECT {EPISODE} FROM alert_episodes e JOIN alerts a ON a.id = e.alert_id
 WHERE e.alert_id = $1 AND a.user_id = $2
   AND ($3::timestamptz IS NULL OR (e.fired_at, e.id) < ($3, $4::uuid))
 ORDER BY e.fired_at DESC, e.id DESC LIMIT $5
"""
_WATCHING = f"""
SELECT {ALERT} FROM alerts a
 WHERE a.symbol = $1 AND a.timeframe = $2 AND a.status = 'active'
   AND (a.last_bar_time IS NULL OR a.last_bar_time < $3)
   AND ($4::uuid IS NULL OR a.id = $4)
   AND EXISTS (SELECT 1 FROM users u WHERE u.id = a.user_id AND NOT u.disabled)
 ORDER BY a.id FOR UPDATE
"""
_SEEN = """
UPDATE alerts a
   SET watch = x.watch, last_result = x.result,
       last_bar_time = coalesce(x.bar_time, a.last_bar_time),
       last_fired_at = coalesce(x.fired_at, a.last_fired_at)
  FROM unnest($1::uuid[], $2::jsonb[], $3::text[], $4::timestamptz[], $5::timestamptz[])
       AS x(id, watch, result, bar_time, fired_at)
 WHERE a.id = x.id
"""
_FIRE = """
INSERT INTO alert_episodes (id, alert_id, bar_time, fired_at, evidence)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id
"""
_UNOPENED = f"""
SELECT {EPISODE}, {ALERT} FROM alert_episodes e JOIN alerts a ON a.id = e.alert_id
 WHERE e.opened_at IS NULL AND ($1::uuid IS NULL OR e.id = $1)
 ORDER BY e.fired_at LIMIT $2
"""
# What a run of an alert's left: nothing ($4 NULL), an answer, or less than one.
_RUN = """
SELECT r.id, r.status, r.error_code,
       (SELECT m.content FROM messages m WHERE m.run_id = r.id AND m.role = 'assistant'
         ORDER BY m.timestamp DESC, m.id DESC LIMIT 1) AS answer,
       EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = r.conversation_id
                  AND m.role = 'user') AS talked_in
  FROM runs r WHERE r.conversation_id = $1 AND r.mode = 'alert'
 ORDER BY r.started_at LIMIT 1
"""
_OPENED = """
WITH opened AS (
       UPDATE alert_episodes SET opened_at = $2, conversation_id = $3
        WHERE id = $1 AND opened_at IS NULL RETURNING id),
     sent AS (
       INSERT INTO alert_deliveries (id, episode_id, body, next_attempt_at)
       SELECT $4, id, $5, $2 FROM opened WHERE $5::text IS NOT NULL
       ON CONFLICT DO NOTHING)
SELECT id FROM opened
"""
_SYMBOLS = """
SELECT DISTINCT symbol FROM alerts WHERE status = 'active' AND timeframe = $1 ORDER BY symbol
"""


class StoredAlerts:
    """Implements `app.services.alerts.alerts.AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- a person's alerts --------------------------------------------------------------------

    async def insert(self, alert: Alert, *, sealed: tuple[str, bytes] | None, most: int) -> bool:
        """Store a new alert; False when its owner has `most` already."""
        key_id, secret = sealed or (None, None)
        status = await self._database.execute(
            _INSERT,
            alert.id,
            alert.user_id,
            alert.name,
            alert.symbol,
            alert.timeframe,
            alert.condition,
            alert.words,
            alert.status,
            alert.agent_id,
            msgspec.to_builtins(alert.rules),
            msgspec.to_builtins(alert.watch),
            alert.webhook_url,
            key_id,
            secret,
            alert.created_at,
            most,
        )
        return status == "INSERT 0 1"

    async def page(
        self,
        user_id: UserId,
        *,
        symbol: str | None,
        status: str | None,
        before: Position | None,
        limit: int,
    ) -> list[Alert]:
        """Return a person's alerts, newest first."""
        moment, last_id = before or (None, None)
        rows = await self._database.fetch(_PAGE, user_id, symbol, status, moment, last_id, limit)
        return [alert_of(row) for row in rows]

    async def find(self, user_id: UserId, alert_id: UUID) -> Alert | None:
        """Return an alert, None if there is none or it is somebody else's."""
        row = await self._database.fetchrow(_FIND, alert_id, user_id)
        return None if row is None else alert_of(row)

    async def change(self, patch: AlertPatch, *, now: datetime) -> bool:
        """Store an alert's new state; False if it is gone."""
        alert = patch.alert
        async with self._database.transaction() as connection:
            status = await connection.execute(
                _CHANGE,
                alert.id,
                alert.user_id,
                alert.name,
                alert.symbol,
                alert.timeframe,
                alert.condition,
                alert.words,
                alert.status,
                alert.agent_id,
                msgspec.to_builtins(alert.rules),
                alert.webhook_url,
                alert.webhook_off,
                patch.restart,
                now,
            )
            if status != "UPDATE 1":
                return False
            if patch.restart:
                await connection.execute(_CLOSE, alert.id, now, None)
        return True

    async def delete(self, user_id: UserId, alert_id: UUID) -> bool:
        """Delete an alert with its episodes; their conversations stay."""
        status = await self._database.execute(
            "DELETE FROM alerts WHERE id = $1 AND user_id = $2", alert_id, user_id
        )
        return status == "DELETE 1"

    async def set_secret(self, user_id: UserId, alert_id: UUID, sealed: tuple[str, bytes]) -> bool:
        """Keep a webhook's new secret; False if there is no such alert of theirs."""
        status = await self._database.execute(
            "UPDATE alerts SET secret_key_id = $3, secret_sealed = $4"
            " WHERE id = $1 AND user_id = $2",
            alert_id,
            user_id,
            *sealed,
        )
        return status == "UPDATE 1"

    async def episodes(
        self, user_id: UserId, alert_id: UUID, *, before: Position | None, limit: int
    ) -> list[Episode]:
        """Return the episodes of a person's alert, newest first."""
        moment, last_id = before or (None, None)
        rows = await self._database.fetch(_EPISODES, alert_id, user_id, moment, last_id, limit)
        return [episode_of(row) for row in rows]

    # --- bars ---------------------------------------------------------------------------------

    async def watched(self, timeframe: str) -> list[str]:
        """Return the symbols that an active alert watches on this timeframe."""
        rows = await self._database.fetch(_SYMBOLS, timeframe)
        return [row["symbol"] for row in rows]

    async def evaluate(
        self,
        symbol: str,
        timeframe: str,
        bar_time: datetime,
        decide: Callable[[Alert], Decision],
        *,
        now: datetime,
        only: UUID | None = None,
    ) -> list[Fired]:
        """Let `decide` judge each alert that has not seen this bar or a later one, and keep what
        it decides; return what began.

        A bar that is not reliable counts as not seen.
        """
        fired: list[Fired] = []
        seen: list[tuple[UUID, Any, str, datetime | None, datetime | None]] = []
        async with self._database.transaction() as connection:
            for row in await connection.fetch(_WATCHING, symbol, timeframe, bar_time, only):
                alert = alert_of(row)
                decision = decide(alert)
                began = await self._turn(connection, alert, decision, bar_time, now)
                if began:
                    fired.append(_fired(alert, bar_time))
                seen.append(
                    (
                        alert.id,
                        msgspec.to_builtins(decision.watch),
                        decision.result,
                        None if decision.result == "unreliable" else bar_time,
                        now if began else None,
                    )
                )
            if seen:
                await connection.execute(_SEEN, *map(list, zip(*seen, strict=True)))
        return fired

    async def _turn(
        self,
        connection: PooledConnection,
        alert: Alert,
        decision: Decision,
        bar_time: datetime,
        now: datetime,
    ) -> bool:
        """Begin or end an episode where that was decided; tell whether one began."""
        if decision.change == "begins":
            identity = episode_id(alert.id, bar_time)
            return bool(
                await connection.fetch(_FIRE, identity, alert.id, bar_time, now, decision.evidence)
            )
        if decision.change == "ends":
            await connection.execute(_CLOSE, alert.id, now, bar_time)
        return False

    # --- conversations ------------------------------------------------------------------------

    async def unopened(self, *, only: UUID | None = None, limit: int = 50) -> list[Unopened]:
        """Return episodes whose conversation is not open yet, oldest first."""
        rows = await self._database.fetch(_UNOPENED, only, limit)
        return [Unopened(episode=episode_of(r), alert=alert_of(r), tries=r["tries"]) for r in rows]

    async def opening_run(self, conversation: ConversationId) -> OpeningRun | None:
        """Return the run that was to open a conversation."""
        row = await self._database.fetchrow(_RUN, conversation)
        return None if row is None else OpeningRun(*row.values())

    async def try_again(self, episode: UUID, *, tries: int, owner: UserId) -> None:
        """Give up a conversation that was begun and not opened, and count the try."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM conversations WHERE id = $1 AND user_id = $2",
                conversation_id(episode, tries),
                owner,
            )
            await connection.execute(
                "UPDATE alert_episodes SET tries = $2 WHERE id = $1 AND opened_at IS NULL"
                " AND tries < $2",
                episode,
                tries + 1,
            )

    async def opened(
        self,
        episode: UUID,
        conversation: ConversationId | None,
        *,
        delivery_id: UUID,
        body: str | None,
        now: datetime,
    ) -> bool:
        """Note that an episode's conversation is open and, with a `body`, that it is to be sent;
        False if somebody else has."""
        return bool(
            await self._database.write(_OPENED, episode, now, conversation, delivery_id, body)
        )


def _fired(alert: Alert, bar_time: datetime) -> Fired:
    return Fired(
        alert_id=alert.id,
        episode_id=episode_id(alert.id, bar_time),
        user_id=alert.user_id,
        name=alert.name,
        symbol=alert.symbol,
        bar_time=bar_time,
    )


def alert_of(row: Record) -> Alert:
    """Return a row with the columns of `ALERT`."""
    return Alert(
        id=row["id"],
        user_id=UserId(row["user_id"]),
        name=row["name"],
        symbol=row["symbol"],
        timeframe=row["timeframe"],
        condition=row["condition"],
        words=row["words"],
        status=row["status"],
        agent_id=None if row["agent_id"] is None else AgentId(row["agent_id"]),
        rules=msgspec.convert(row["rules"], Rules),
        watch=msgspec.convert(row["watch"], Watch),
        webhook_url=row["webhook_url"],
        webhook_off=row["webhook_off"],
        last_bar_time=row["last_bar_time"],
        last_result=row["last_result"],
        last_fired_at=row["last_fired_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def episode_of(row: Record) -> Episode:
    """Return a row with the columns of `EPISODE`."""
    opened: Any = row["opened_at"]
    return Episode(
        id=row["episode_id"],
        alert_id=row["alert_id"],
        bar_time=row["bar_time"],
        fired_at=row["fired_at"],
        ended_at=row["ended_at"],
        ended_bar_time=row["ended_bar_time"],
        evidence=row["evidence"],
        conversation_id=None if opened is None else row["conversation_id"],
        withdrawn_at=row["withdrawn_at"],
        withdrawn_because=row["withdrawn_because"],
    )
