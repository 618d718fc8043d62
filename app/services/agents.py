"""Agents as an admin configures them, and the ones a new desk starts with."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.agents import (
    Agent,
    AgentConfig,
    AgentMemory,
    AgentStatus,
    AgentTool,
    AgentType,
    LLMProvider,
)
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import AgentId, UserId, new_id
from app.domain.principal import Principal
from app.domain.text import clean_json, clean_text
from app.domain.views import AgentMetrics, AgentVersionView, AgentView, Position
from app.services.paging import Page, checked_limit, cut, decode_cursor
from tools.tool import ToolSpec

NO_AGENT = "There is no such agent."
BUILTIN = "builtin:"
_MAX_PROMPT = 64_000
_LOOKED_AT = 200
"""Agents read at once when a name is compared with all of theirs."""


class NewAgent(msgspec.Struct, frozen=True):
    """What it takes to make an agent; the rest has defaults."""

    name: str
    type: AgentType
    system_prompt: str
    capabilities: tuple[str, ...] = ()
    llm_provider: LLMProvider | None = None
    llm_model: str | None = None
    temperature: float = 0.2
    max_tokens: int = 4096
    tools: tuple[AgentTool, ...] = ()
    memory: AgentMemory = AgentMemory(type="conversation", max_tokens=32_000, retention=365)


class AgentChange(msgspec.Struct, frozen=True):
    """What a PATCH changes; UNSET leaves it alone."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    status: AgentStatus | msgspec.UnsetType = msgspec.UNSET
    system_prompt: str | msgspec.UnsetType = msgspec.UNSET
    capabilities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    llm_provider: LLMProvider | msgspec.UnsetType | None = msgspec.UNSET
    llm_model: str | msgspec.UnsetType | None = msgspec.UNSET
    temperature: float | msgspec.UnsetType = msgspec.UNSET
    max_tokens: int | msgspec.UnsetType = msgspec.UNSET
    tools: tuple[AgentTool, ...] | msgspec.UnsetType = msgspec.UNSET
    memory: AgentMemory | msgspec.UnsetType = msgspec.UNSET


class AgentStore(Protocol):
    """Agents and their versions."""

    async def page(self, *, before: Position | None, limit: int) -> list[Agent]:
        """Return agents, newest first."""
        ...

    async def find(self, agent_id: UUID) -> Agent | None: ...

    async def is_empty(self) -> bool: ...

    async def insert(self, agent: Agent, *, created_by: UserId | None) -> bool:
        """Store a new agent and its first version; False when the name is taken."""
        ...

    async def replace(
        self, agent: Agent, *, expected_version: int, created_by: UserId | None
    ) -> bool | None:
        """Store an agent's new state.

        Returns False when the name is taken, None when it is no longer at `expected_version`.
        """
        ...

    async def versions(
        self, agent_id: UUID, *, below: int | None, limit: int
    ) -> list[AgentVersionView]:
        """Return an agent's versions, newest first."""
        ...

    async def metrics(self, agent_ids: Sequence[UUID]) -> dict[UUID, AgentMetrics]:
        """Return the metrics of these agents over all their runs."""
        ...


class Agents:
    """The use cases."""

    def __init__(
        self,
        store: AgentStore,
        *,
        tools: Callable[[], Sequence[ToolSpec]],
        prompts: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tools = tools
        self._prompts = prompts
        self._clock = clock

    async def page(self, *, cursor: str | None, limit: int) -> Page[AgentView]:
        """Return agents, newest first."""
        before, limit = decode_cursor(cursor), checked_limit(limit)
        found = await self._store.page(before=before, limit=limit + 1)
        page = cut(found, limit, lambda agent: (agent.created_at, agent.id))
        metrics = await self._store.metrics([agent.id for agent in page.items])
        return Page([_view(agent, metrics[agent.id]) for agent in page.items], page.next_cursor)

    async def get(self, agent_id: UUID) -> AgentView:
        """Return one agent.

        Raises:
            NotFound: it is unknown.
        """
        agent = await self._find(agent_id)
        return _view(agent, (await self._store.metrics([agent.id]))[agent.id])

    async def metrics(self, agent_id: UUID) -> AgentMetrics:
        """Return how an agent has done over all its runs.

        Raises:
            NotFound: it is unknown.
        """
        agent = await self._find(agent_id)
        return (await self._store.metrics([agent.id]))[agent.id]

    async def versions(
        self, agent_id: UUID, *, cursor: str | None, limit: int
    ) -> Page[AgentVersionView]:
        """Return the configurations an agent has had, newest first.

        Raises:
            NotFound: it is unknown.
        """
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 9):
            raise Invalid("`cursor` is not one this server gave out.")
        limit = checked_limit(limit)
        await self._find(agent_id)
        found = await self._store.versions(
            agent_id, below=int(cursor) if cursor else None, limit=limit + 1
        )
        more = len(found) > limit
        return Page(found[:limit], str(found[limit - 1].version) if more else None)

    async def create(self, principal: Principal, new: NewAgent) -> AgentView:
        """Make an agent at version 1.

        Raises:
            Invalid: a field is out of range or a tool is unknown.
            Conflict: `name_taken`.
        """
        now = self._clock()
        agent = Agent(
            id=AgentId(new_id()),
            name=_checked_name(new.name),
            type=new.type,
            version=1,
            status="active",
            config=self._checked(
                AgentConfig(
                    capabilities=new.capabilities,
                    llm_provider=new.llm_provider,
                    llm_model=new.llm_model,
                    system_prompt=new.system_prompt,
                    temperature=new.temperature,
                    max_tokens=new.max_tokens,
                    tools=new.tools,
                    memory=new.memory,
                )
            ),
            created_at=now,
            updated_at=now,
        )
        await self._check_free(agent)
        if not await self._store.insert(agent, created_by=principal.user_id):
            raise _name_taken(agent.name)
        return await self.get(agent.id)

    async def change(self, principal: Principal, agent_id: UUID, change: AgentChange) -> AgentView:
        """Change an agent; anything but its name and status makes a new version.

        Conversations stay with the version they were pinned to.

        Raises:
            NotFound: it is unknown.
            Invalid: a field is out of range or a tool is unknown.
            Conflict: `name_taken`, or `version_conflict` when somebody was quicker.
        """
        old = await self._find(agent_id)
        given = {
            name: value
            for name in change.__struct_fields__
            if (value := getattr(change, name)) is not msgspec.UNSET
        }
        name = _checked_name(given.pop("name", old.name))
        status = given.pop("status", old.status)
        config = self._checked(msgspec.structs.replace(old.config, **given))
        agent = msgspec.structs.replace(
            old,
            name=name,
            status=status,
            config=config,
            version=old.version + (config != old.config),
            updated_at=self._clock(),
        )
        if name != old.name:
            await self._check_free(agent)
        stored = await self._store.replace(
            agent, expected_version=old.version, created_by=principal.user_id
        )
        if stored is None:
            raise Conflict(
                "Somebody else changed this agent just now; look at it and try again.",
                code="version_conflict",
            )
        if not stored:
            raise _name_taken(name)
        return await self.get(agent_id)

    async def ensure_defaults(self) -> list[str]:
        """Give a desk without agents its first ones, and those nobody changed today's tools.

        Returns the names of those that are new or were brought up to date. What an admin
        configured is left as it is: somebody may have taken a tool away on purpose.
        """
        if not await self._store.is_empty():
            return await self._refresh_untouched()
        # Two servers may start on one empty database: the name decides who was first.
        return [
            agent.name
            for agent in self._defaults()
            if await self._store.insert(agent, created_by=None)
        ]

    async def _refresh_untouched(self) -> list[str]:
        ours = {agent.name: agent for agent in self._defaults()}
        refreshed: list[str] = []
        before: Position | None = None
        while agents := await self._store.page(before=before, limit=_LOOKED_AT):
            for old in agents:
                default = ours.get(old.name)
                if default is None or old.config == default.config:
                    continue
                newest = await self._store.versions(old.id, below=None, limit=1)
                if newest and newest[0].created_by is not None:
                    continue
                now = msgspec.structs.replace(
                    old, config=default.config, version=old.version + 1, updated_at=self._clock()
                )
                # None: another server of this desk did it just now.
                if await self._store.replace(now, expected_version=old.version, created_by=None):
                    refreshed.append(old.name)
            before = (agents[-1].created_at, agents[-1].id)
        return refreshed

    def _defaults(self) -> list[Agent]:
        now = self._clock()
        prompt = (self._prompts / "analyst.md").read_text(encoding="utf-8")
        return [
            Agent(
                id=AgentId(new_id()),
                name="Analyst",
                type="analyst",
                version=1,
                status="active",
                config=AgentConfig(
                    capabilities=("outlook", "indicators", "signals", "comparison", "screening"),
                    llm_provider=None,
                    llm_model=None,
                    system_prompt=prompt,
                    temperature=0.2,
                    max_tokens=4096,
                    tools=tuple(
                        AgentTool(
                            name=spec.name,
                            description=spec.description,
                            endpoint=BUILTIN + spec.name,
                            parameters=spec.parameters,
                        )
                        for spec in self._tools()
                    ),
                    memory=AgentMemory(type="conversation", max_tokens=32_000, retention=365),
                ),
                created_at=now,
                updated_at=now,
            )
        ]

    async def _find(self, agent_id: UUID) -> Agent:
        agent = await self._store.find(agent_id)
        if agent is None:
            raise NotFound(NO_AGENT)
        return agent

    async def _check_free(self, agent: Agent) -> None:
        """Agents are asked by name in any case, so that "analyst" would mean two.

        Raises:
            Conflict: `name_taken`.
        """
        before: Position | None = None
        while agents := await self._store.page(before=before, limit=_LOOKED_AT):
            for one in agents:
                if one.id != agent.id and one.name.lower() == agent.name.lower():
                    raise _name_taken(one.name)
            before = (agents[-1].created_at, agents[-1].id)

    def _checked(self, config: AgentConfig) -> AgentConfig:
        """Return `config` if an agent can work with it.

        Raises:
            Invalid: says which field is wrong and what is allowed.
        """
        if not 0 <= config.temperature <= 2:
            raise Invalid(f"`temperature` must be from 0 to 2; it is {config.temperature}.")
        if not 1 <= config.max_tokens <= 1_000_000:
            raise Invalid(f"`maxTokens` must be from 1 to 1000000; it is {config.max_tokens}.")
        if not 1 <= config.memory.max_tokens <= 10_000_000 or config.memory.retention < 0:
            raise Invalid("`memory.maxTokens` must be from 1, `memory.retention` from 0 days.")
        try:
            config = msgspec.convert(clean_json(msgspec.to_builtins(config)), AgentConfig)
        except ValueError as error:
            raise Invalid(f"This agent cannot be stored: {error}.") from None
        prompt = config.system_prompt
        if not prompt.strip() or len(prompt) > _MAX_PROMPT:
            raise Invalid(
                f"`systemPrompt` must have 1 to {_MAX_PROMPT} characters; it has {len(prompt)}."
            )
        known = {spec.name: spec for spec in self._tools()}
        names = [tool.name for tool in config.tools]
        if len(set(names)) != len(names):
            raise Invalid("`tools` names one tool twice.")
        for tool in config.tools:
            if not tool.endpoint.startswith(BUILTIN):
                raise Invalid(
                    f"`tools`: {tool.endpoint!r} cannot be called;"
                    f" an endpoint is {BUILTIN}NAME with one of {', '.join(sorted(known))}."
                )
            if tool.endpoint.removeprefix(BUILTIN) not in known or tool.name not in known:
                raise Invalid(f"`tools`: {tool.name!r} is not one of {', '.join(sorted(known))}.")
        return config


def _name_taken(name: str) -> Conflict:
    return Conflict(f"There is already an agent called {name!r}.", code="name_taken")


def _checked_name(name: str) -> str:
    name = " ".join(clean_text(name).split())
    if not 1 <= len(name) <= 80:
        raise Invalid(f"`name` must have 1 to 80 characters; it has {len(name)}.")
    return name


def _view(agent: Agent, metrics: AgentMetrics) -> AgentView:
    config = agent.config
    return AgentView(
        id=agent.id,
        name=agent.name,
        type=agent.type,
        version=agent.version,
        capabilities=config.capabilities,
        llm_provider=config.llm_provider,
        llm_model=config.llm_model,
        system_prompt=config.system_prompt,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        tools=config.tools,
        memory=config.memory,
        status=agent.status,
        metrics=metrics,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
    )
