"""Runs to carry out."""

from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from agents.limits import Limits
from agents.llms.llm import LLM
from agents.messages import Message, ToolRequest
from agents.runs import AgentSpec, RunRequest

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

ANALYST = AgentSpec(
    id="a1",
    name="Analyst",
    version=1,
    type="analyst",
    system_prompt="",
    temperature=0.2,
    max_output_tokens=512,
    tool_names=("quotes", "signals"),
    memory_max_tokens=4_000,
)


def run_request(
    llm: LLM,
    *,
    question: str = "How does GOOG look?",
    history: tuple[Message, ...] = (),
    tool_names: tuple[str, ...] = ANALYST.tool_names,
    limits: Limits | None = None,
    agent: AgentSpec = ANALYST,
) -> RunRequest:
    """Return a request to answer `question` with `llm`."""
    return RunRequest(
        run_id=uuid4(),
        conversation_id=uuid4(),
        principal_id="user-1",
        agent=msgspec.structs.replace(agent, tool_names=tool_names),
        history=history,
        question=question,
        llm=llm,
        model="fake-1",
        now=NOW,
        limits=limits or Limits(),
    )


def ask(id: str, name: str = "quotes", **arguments: object) -> ToolRequest:
    """Return an LLM's wish to call a tool."""
    return ToolRequest(id=id, name=name, arguments=arguments)
