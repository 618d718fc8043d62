"""Ask one question, or hold a conversation, in the terminal."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from app.domain.errors import Refusal
from app.domain.ids import ConversationId, MessageId, RunId, new_id
from app.domain.principal import Principal
from app.domain.runs import StartRun
from app.terminal import modes
from app.terminal.follow import LocalFollower
from app.terminal.prompt import read_line
from app.terminal.render import PipeView, RunView, View
from app.wiring.desk import Desk

Outcome = Literal["success", "cancelled", "failed"]


class Asked(msgspec.Struct, frozen=True):
    """How one question went."""

    conversation_id: ConversationId
    outcome: Outcome
    error: dict[str, Any] | None = None
    """`{code, message}` of a run that failed."""


class Talk(msgspec.Struct, frozen=True):
    """Who asks in the terminal, and where the answers go."""

    desk: Desk
    follower: LocalFollower
    principal: Principal
    out: Console
    err: Console

    def view(self) -> View:
        """Return what shows the next run: drawn for a person, plain for a pipe."""
        return RunView(self.out) if self.out.is_terminal else PipeView(self.out, self.err)


async def ask(
    talk: Talk,
    question: str,
    *,
    conversation_id: ConversationId | None = None,
    agent: str | None = None,
    as_json: bool = False,
) -> Asked:
    """Put one question to an agent and show the answer as it comes.

    Ctrl-C stops the run, and what was said until then is kept; a second Ctrl-C waits no longer.

    Raises:
        Refusal: the question cannot be taken up.
    """
    command = StartRun(
        command_id=str(new_id()),
        conversation_id=conversation_id or ConversationId(new_id()),
        run_id=RunId(new_id()),
        message_id=MessageId(new_id()),
        content=question,
        agent=agent,
        session_id="terminal",
    )
    started = await talk.desk.runs.start(command, talk.principal)
    async with _stopped_by_interrupt(talk, started.run.id):
        asked = await _follow(talk, command, None if as_json else talk.view())
    if as_json:
        await _print_json(talk, command, asked)
    return asked


@asynccontextmanager
async def _stopped_by_interrupt(talk: Talk, run_id: RunId) -> AsyncIterator[None]:
    loop, asking = asyncio.get_running_loop(), asyncio.current_task()
    stopping: list[asyncio.Task[bool]] = []

    def interrupt() -> None:
        if stopping and asking is not None:
            asking.cancel()
        stopping.append(loop.create_task(talk.desk.runs.stop(run_id, talk.principal)))

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        with modes.without_echo():
            yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        await asyncio.gather(*stopping, return_exceptions=True)


async def _follow(talk: Talk, command: StartRun, view: View | None) -> Asked:
    """Show the run to its end."""
    last: dict[str, Any] = {}
    try:
        async for event in talk.follower.follow(command.run_id):
            if event.type in ("RUN_FINISHED", "RUN_ERROR"):
                last = msgspec.json.decode(event.payload)
            if view is not None:
                view.show(event)
    finally:
        if view is not None:
            view.close()
    if last["type"] == "RUN_ERROR":
        error = {"code": last.get("code"), "message": last["message"]}
        return Asked(command.conversation_id, "failed", error)
    outcome: Outcome = "cancelled" if last["outcome"]["type"] == "cancelled" else "success"
    return Asked(command.conversation_id, outcome)


async def _print_json(talk: Talk, command: StartRun, asked: Asked) -> None:
    """Print the stored answer as REST gives it: with tool calls, claims and receipt."""
    page = await talk.desk.conversations.messages(
        talk.principal, command.conversation_id, superseded=False, limit=10, cursor=None
    )
    said = (m for m in page.items if m.role == "assistant" and m.run_id == command.run_id)
    document = {
        "conversationId": command.conversation_id,
        "runId": command.run_id,
        "outcome": asked.outcome,
        "error": asked.error,
        "answer": next(said, None),
    }
    encoded = msgspec.json.encode(document)
    if talk.out.is_terminal:
        encoded = msgspec.json.format(encoded, indent=2)
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.flush()


async def chat(talk: Talk, *, resumed: ConversationId | None, agent: str | None) -> None:
    """Hold a conversation until end of input; an earlier one may be resumed by its id.

    Raises:
        NotFound: there is no such conversation to resume.
    """
    talk.err.print(Text("Ctrl-C stops an answer, Ctrl-D leaves.", "dim"))
    if resumed is not None:
        await _recall(talk, resumed)
    conversation_id, begun = resumed or ConversationId(new_id()), resumed is not None
    while (question := await read_line("you ›")) is not None:
        if not question.strip():
            continue
        try:
            await ask(talk, question, conversation_id=conversation_id, agent=agent)
            begun = True
        except Refusal as refusal:
            talk.err.print(Text(refusal.message, "bold red"))
    if begun:
        hint = f"Go on with: outcry chat --resume {conversation_id}"
        talk.err.print(Text(f"\n{hint}", "dim"), soft_wrap=True)


async def _recall(talk: Talk, conversation_id: ConversationId) -> None:
    """Show where the conversation stands."""
    conversation = await talk.desk.conversations.get(talk.principal, conversation_id)
    page = await talk.desk.conversations.messages(
        talk.principal, conversation_id, superseded=False, limit=2, cursor=None
    )
    talk.err.print(Text(f"{conversation.title}, {conversation.message_count} messages", "dim"))
    for message in reversed(page.items):
        if message.role == "user":
            talk.err.print(Text.assemble(("you › ", "bold"), message.content))
        else:
            talk.err.print(Markdown(message.content))
