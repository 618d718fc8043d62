"""Agents, their versions and what their runs add up to."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from app.domain.agents import Agent, AgentConfig
from app.domain.ids import AgentId, UserId
from app.domain.money import plain
from app.domain.views import AgentMetrics, AgentVersionView, Position
from app.storage.engine import Database, EncodedJson, PooledConnection, Record, encode_json

_AGENT = "SELECT id, name, type, version, status, config::text, created_at, updated_at FROM agents"
_config = msgspec.json.Decoder(AgentConfig)


class AgentReads:
    """Implements `app.services.agents.AgentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, before: Position | None, limit: int) -> list[Agent]:
        """Return agents, newest first."""
        rows = await self._database.fetch(
            f"{_AGENT} WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)"
            " ORDER BY created_at DESC, id DESC LIMIT $3",
            *(before or (None, None)),
            limit,
        )
        return [_agent(row) for row in rows]

    async def find(self, agent_id: UUID) -> Agent | None:
        """Return an agent at its current version."""
        row = await self._database.fetchrow(f"{_AGENT} WHERE id = $1", agent_id)
        return _agent(row) if row else None

    async def is_empty(self) -> bool:
        """Tell whether there is no agent at all."""
        return not await self._database.fetchval("SELECT EXISTS (SELECT 1 FROM agents)")

    async def insert(self, agent: Agent, *, created_by: UserId | None) -> bool:
        """Store a new agent and its first version; False when the name is taken."""
        config = encode_json(msgspec.to_builtins(agent.config))
        async with self._database.transaction() as connection:
            inserted = await connection.fetchval(
                """
                INSERT INTO agents (id, name, type, version, status, config, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (name) DO NOTHING RETURNING id
                """,
                agent.id,
                agent.name,
                agent.type,
                agent.version,
                agent.status,
                config,
                agent.created_at,
                agent.updated_at,
            )
            if inserted is None:
                return False
            await _insert_version(connection, agent, config, created_by)
            return True

    async def replace(
        self, agent: Agent, *, expected_version: int, created_by: UserId | None
    ) -> bool | None:
        """Store an agent's new state; False: name taken, None: version moved on."""
        config = encode_json(msgspec.to_builtins(agent.config))
        try:
            async with self._database.transaction() as connection:
                changed = await connection.fetchval(
                    """
                    UPDATE agents
                       SET name = $3, status = $4, config = $5, version = $6,
                           updated_at = $7
                     WHERE id = $1 AND version = $2 RETURNING id
                    """,
                    agent.id,
                    expected_version,
                    agent.name,
                    agent.status,
                    config,
                    agent.version,
                    agent.updated_at,
                )
                if changed is None:
                    return None
                if agent.version != expected_version:
                    await _insert_version(connection, agent, config, created_by)
                return True
        except asyncpg.UniqueViolationError:
            return False

    async def versions(
        self, agent_id: UUID, *, below: int | None, limit: int
    ) -> list[AgentVersionView]:
        """Return an agent's versions, newest first."""
        rows = await self._database.fetch(
            """
            SELECT version, config::text, created_by, created_at FROM agent_versions
             WHERE agent_id = $1 AND ($2::int IS NULL OR version < $2)
             ORDER BY version DESC LIMIT $3
            """,
            agent_id,
            below,
            limit,
        )
        return [_version(row) for row in rows]

    async def metrics(self, agent_ids: Sequence[UUID]) -> dict[UUID, AgentMetrics]:
        """Return the metrics of these agents over all their runs."""
        rows = await self._database.fetch(
            """
            SELECT wanted.id, done.*, spent.*
              FROM unnest($1::uuid[]) AS wanted(id)
             CROSS JOIN LATERAL (
                SELECT count(*) AS requests,
                       avg(extract(epoch FROM ended_at - started_at) * 1000)::float8 AS response_ms,
                       (count(*) FILTER (WHERE status = 'finished'))::float8
                         / nullif(count(*) FILTER (WHERE status IN ('finished', 'failed')), 0)
                         AS success,
                       (avg(input_tokens + output_tokens)
                         FILTER (WHERE status <> 'running'))::float8 AS tokens,
                       max(coalesce(ended_at, started_at)) AS last_active_at
                  FROM runs r WHERE r.agent_id = wanted.id) AS done
             CROSS JOIN LATERAL (
                SELECT coalesce(sum(amount_usd), 0) AS amount,
                       coalesce(bool_and(amount_usd IS NOT NULL), true) AS priced
                  FROM cost_entries k
                 WHERE k.agent_id = wanted.id AND k.status = 'settled') AS spent
            """,
            list(agent_ids),
        )
        return {
            row["id"]: AgentMetrics(
                total_requests=row["requests"],
                avg_response_time=row["response_ms"],
                success_rate=row["success"],
                avg_tokens_used=row["tokens"],
                total_cost=plain(row["amount"]),
                priced=row["priced"],
                last_active_at=row["last_active_at"],
            )
            for row in rows
        }


async def _insert_version(
    connection: PooledConnection,
    agent: Agent,
    config: EncodedJson,
    created_by: UserId | None,
) -> None:
    await connection.execute(
        "INSERT INTO agent_versions (agent_id, version, config, created_by, created_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        agent.id,
        agent.version,
        config,
        created_by,
        agent.updated_at,
    )


def _agent(row: Record) -> Agent:
    return Agent(
        id=AgentId(row["id"]),
        name=row["name"],
        type=row["type"],
        version=row["version"],
        status=row["status"],
        config=_config.decode(row["config"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _version(row: Record) -> AgentVersionView:
    config = _config.decode(row["config"])
    return AgentVersionView(
        version=row["version"],
        capabilities=config.capabilities,
        llm_provider=config.llm_provider,
        llm_model=config.llm_model,
        system_prompt=config.system_prompt,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        tools=config.tools,
        memory=config.memory,
        created_by=row["created_by"],
        created_at=row["created_at"],
    )
