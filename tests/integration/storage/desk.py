"""People, agents and commands for the storage tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.agents import AgentConfig, AgentMemory
from app.domain.ids import AgentId, ConversationId, MessageId, RunId, UserId, new_id
from app.domain.principal import ALL_SCOPES, Principal
from app.domain.runs import StartedRun, StartRun
from app.storage.engine import Database
from app.storage.runs import StoredRuns

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

_CONFIG = AgentConfig(
    capabilities=("quotes",),
    llm_provider=None,
    llm_model=None,
    system_prompt="Answer from the tools.",
    temperature=0.2,
    max_tokens=1000,
    tools=(),
    memory=AgentMemory(type="conversation", max_tokens=4000, retention=30),
)


class Desk:
    """Makes rows that tests need and does not test itself."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runs = StoredRuns(database)

    async def user(self, email: str) -> Principal:
        user_id = UserId(new_id())
        await self.database.execute(
            "INSERT INTO users (id, email, name, role) VALUES ($1, $2, $2, 'user')", user_id, email
        )
        return Principal(
            user_id=user_id,
            email=email,
            name=email,
            role="user",
            scopes=ALL_SCOPES,
            credential="local",
            credential_id="local",
        )

    async def agent(self, name: str = "analyst", **fields: Any) -> AgentId:
        agent_id = AgentId(new_id())
        config = msgspec.to_builtins(_CONFIG)
        await self.database.execute(
            "INSERT INTO agents (id, name, type, status, config) VALUES ($1, $2, $3, $4, $5)",
            agent_id,
            name,
            fields.get("type", "analyst"),
            fields.get("status", "active"),
            config,
        )
        await self.database.execute(
            "INSERT INTO agent_versions (agent_id, version, config) VALUES ($1, 1, $2)",
            agent_id,
            config,
        )
        return agent_id

    async def start(
        self,
        command: StartRun,
        principal: Principal,
        *,
        after_s: float = 0,
        command_hash: bytes | None = None,
    ) -> StartedRun:
        return await self.runs.start(
            command,
            principal,
            command_hash=command_hash or repr(command.content).encode(),
            owner="here",
            now=NOW + timedelta(seconds=after_s),
        )


def ask(content: str, conversation_id: ConversationId | None = None, **fields: Any) -> StartRun:
    """Return a command with fresh ids."""
    given = {
        "command_id": str(new_id()),
        "conversation_id": conversation_id or ConversationId(new_id()),
        "run_id": RunId(new_id()),
        "message_id": MessageId(new_id()),
        "content": content,
        **fields,
    }
    return StartRun(**given)
