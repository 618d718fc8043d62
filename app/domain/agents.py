"""The seed's AIAgent: what an admin configures and a conversation is pinned to."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from app.domain.ids import AgentId

AgentType = Literal["analyst", "trader", "risk_manager", "educator", "support", "content_creator"]
AgentStatus = Literal["active", "idle", "processing", "error", "disabled"]
LLMProvider = Literal["builtin", "openai", "anthropic", "google", "cohere", "huggingface"]


class AgentTool(msgspec.Struct, frozen=True, rename="camel"):
    """A tool an agent may call. `endpoint` is `builtin:NAME` for the desk's own tools."""

    name: str
    description: str
    endpoint: str
    parameters: dict[str, Any]


class AgentMemory(msgspec.Struct, frozen=True, rename="camel"):
    """What an agent remembers."""

    type: Literal["conversation", "summary", "vector"]
    max_tokens: int
    """How much history one request may carry."""
    retention: int
    """Days."""
    vector_store: str | None = None


class AgentConfig(msgspec.Struct, frozen=True, rename="camel"):
    """The versioned part of an agent."""

    capabilities: tuple[str, ...]
    llm_provider: LLMProvider | None
    """None: chosen from the environment at each start, and shown in the client."""
    llm_model: str | None
    system_prompt: str
    temperature: float
    max_tokens: int
    tools: tuple[AgentTool, ...]
    memory: AgentMemory


class Agent(msgspec.Struct, frozen=True):
    """An agent at one version."""

    id: AgentId
    name: str
    type: AgentType
    version: int
    status: AgentStatus
    config: AgentConfig
    created_at: datetime
    updated_at: datetime
