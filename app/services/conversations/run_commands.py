"""Read a wish to have something answered, and tell everybody how it was taken up."""

import hashlib
from typing import Any

import msgspec

from agents.events import RunStarted
from agents.llms.catalog import Selection
from agents.runs import AgentSpec
from app.domain.agents import Agent
from app.domain.errors import Invalid, TooLarge
from app.domain.ids import MessageId
from app.domain.runs import Run, RunMode, StartRun
from app.domain.text import clean_text

MAX_MESSAGE_CHARACTERS = 100_000


class Opening(msgspec.Struct, frozen=True):
    """Who opens a conversation that nobody asked for, and with which tools."""

    chosen: Selection
    tools: tuple[str, ...]


def checked(command: StartRun) -> StartRun:
    """Return the command with clean text.

    Raises:
        TooLarge: the message is too long.
        Invalid: the message is empty, or a mode lacks the message it starts from.
    """
    content = clean_text(command.content)
    if len(content) > MAX_MESSAGE_CHARACTERS:
        raise TooLarge(
            f"A message may have {MAX_MESSAGE_CHARACTERS:,} characters; this has {len(content):,}.",
            code="too_large",
        )
    if command.mode != "regenerate" and not content.strip():
        raise Invalid("The message is empty.", code="empty_message")
    if command.mode in ("regenerate", "edit") and command.from_message_id is None:
        raise Invalid(f"'{command.mode}' needs fromMessageId.", code="from_message_id_missing")
    return msgspec.structs.replace(command, content=content)


def command_hash(command: StartRun) -> bytes:
    """Return what tells this command from another one sent under the same id."""
    same = msgspec.structs.replace(command, session_id="")
    return hashlib.sha256(msgspec.json.encode(same)).digest()


def agent_spec(agent: Agent, opening: Opening | None = None) -> AgentSpec:
    """Return what the runner must know of an agent; who opens a conversation brings its tools."""
    config = agent.config
    return AgentSpec(
        id=str(agent.id),
        name=agent.name,
        version=agent.version,
        type=agent.type,
        system_prompt=config.system_prompt,
        temperature=config.temperature,
        max_output_tokens=config.max_tokens,
        tool_names=opening.tools if opening else tuple(tool.name for tool in config.tools),
        memory_max_tokens=config.memory.max_tokens,
    )


def run_started(
    run: Run,
    *,
    question: str,
    mode: RunMode,
    from_message_id: MessageId | None = None,
    agent: Agent | None = None,
    chosen: Selection | None = None,
) -> RunStarted:
    """Return the first event of a run: the question as taken up, by whom and with what LLM."""
    told: dict[str, Any] = {"mode": mode}
    if agent is not None:
        told["agent"] = {"id": str(agent.id), "name": agent.name, "version": agent.version}
    if chosen is not None:
        told["llm"] = {"provider": chosen.provider, "model": chosen.model, "label": chosen.label}
    if from_message_id is not None:
        told["fromMessageId"] = str(from_message_id)
    if run.user_message_id is not None:
        told["userMessageId"] = str(run.user_message_id)
    asked = []
    if mode in ("answer", "edit"):
        asked = [{"id": str(run.user_message_id), "role": "user", "content": question}]
    thread_id, run_id = str(run.conversation_id), str(run.id)
    return RunStarted(
        thread_id=thread_id,
        run_id=run_id,
        protocol_version="1.0",
        input={
            "threadId": thread_id,
            "runId": run_id,
            "state": {},
            "messages": asked,
            "tools": [],
            "context": [],
            "forwardedProps": {"outcry": told},
        },
    )
