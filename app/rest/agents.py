"""`/agents`: everybody sees them, an admin makes and changes them."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.domain.agents import AgentMemory, AgentStatus, AgentTool, AgentType, LLMProvider
from app.domain.principal import Principal
from app.domain.views import AgentMetrics, AgentVersionView, AgentView
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_administer, may_read
from app.services.agents import AgentChange, Agents, NewAgent
from app.services.paging import DEFAULT_LIMIT, Page


class ToolBody(Body, frozen=True):
    """A tool an agent may call; `endpoint` is `builtin:NAME`."""

    name: str
    description: str
    endpoint: str
    parameters: dict[str, Any]

    def tool(self) -> AgentTool:
        return AgentTool(**msgspec.structs.asdict(self))


class MemoryBody(Body, frozen=True):
    """What an agent remembers."""

    type: Literal["conversation", "summary", "vector"]
    max_tokens: int
    retention: int
    vector_store: str | None = None

    def memory(self) -> AgentMemory:
        return AgentMemory(**msgspec.structs.asdict(self))


class NewAgentBody(Body, frozen=True):
    """An agent to be made."""

    name: str
    type: AgentType
    system_prompt: str
    capabilities: tuple[str, ...] = ()
    llm_provider: LLMProvider | None = None
    llm_model: str | None = None
    temperature: float = 0.2
    max_tokens: int = 4096
    tools: tuple[ToolBody, ...] = ()
    memory: MemoryBody = MemoryBody(type="conversation", max_tokens=32_000, retention=365)


class AgentPatch(Body, frozen=True):
    """What is to change; what is left out stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    status: AgentStatus | msgspec.UnsetType = msgspec.UNSET
    system_prompt: str | msgspec.UnsetType = msgspec.UNSET
    capabilities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    llm_provider: LLMProvider | msgspec.UnsetType | None = msgspec.UNSET
    llm_model: str | msgspec.UnsetType | None = msgspec.UNSET
    temperature: float | msgspec.UnsetType = msgspec.UNSET
    max_tokens: int | msgspec.UnsetType = msgspec.UNSET
    tools: list[ToolBody] | msgspec.UnsetType = msgspec.UNSET
    memory: MemoryBody | msgspec.UnsetType = msgspec.UNSET


class AgentsController(Controller):
    """Agents."""

    path = "/agents"
    tags = ("Agents",)

    @get("/", guards=[may_read], summary="All agents")
    async def page(
        self,
        agents: NamedDependency[Agents],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[AgentView]:
        """Return agents with their metrics, newest first."""
        return await agents.page(cursor=cursor, limit=limit)

    @post("/", guards=[may_administer], summary="Make an agent")
    async def create(
        self,
        data: JSONBody[NewAgentBody],
        principal: NamedDependency[Principal],
        agents: NamedDependency[Agents],
    ) -> AgentView:
        """Make an agent at version 1."""
        return await agents.create(
            principal,
            NewAgent(
                name=data.name,
                type=data.type,
                system_prompt=data.system_prompt,
                capabilities=data.capabilities,
                llm_provider=data.llm_provider,
                llm_model=data.llm_model,
                temperature=data.temperature,
                max_tokens=data.max_tokens,
                tools=tuple(tool.tool() for tool in data.tools),
                memory=data.memory.memory(),
            ),
        )

    @get("/{agent_id:uuid}", guards=[may_read], summary="One agent")
    async def one(self, agent_id: FromPath[UUID], agents: NamedDependency[Agents]) -> AgentView:
        """Return an agent at its current version."""
        return await agents.get(agent_id)

    @patch("/{agent_id:uuid}", guards=[may_administer], summary="Change an agent")
    async def change(
        self,
        agent_id: FromPath[UUID],
        data: JSONBody[AgentPatch],
        principal: NamedDependency[Principal],
        agents: NamedDependency[Agents],
    ) -> AgentView:
        """Change an agent; anything but its name and status makes a new version."""
        given = {
            name: value
            for name in data.__struct_fields__
            if (value := getattr(data, name)) is not msgspec.UNSET
        }
        if "tools" in given:
            given["tools"] = tuple(tool.tool() for tool in given["tools"])
        if "memory" in given:
            given["memory"] = given["memory"].memory()
        return await agents.change(principal, agent_id, AgentChange(**given))

    @get("/{agent_id:uuid}/versions", guards=[may_read], summary="Earlier configurations")
    async def versions(
        self,
        agent_id: FromPath[UUID],
        agents: NamedDependency[Agents],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[AgentVersionView]:
        """Return every configuration the agent has had, newest first."""
        return await agents.versions(agent_id, cursor=cursor, limit=limit)

    @get("/{agent_id:uuid}/metrics", guards=[may_read], summary="How an agent has done")
    async def metrics(
        self, agent_id: FromPath[UUID], agents: NamedDependency[Agents]
    ) -> AgentMetrics:
        """Return the agent's metrics over all runs."""
        return await agents.metrics(agent_id)
