"""Ask one question, or hold a conversation, in the terminal."""

import asyncio
import signal
import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from app.domain.errors import Refusal
from app.domain.ids import ConversationId, MessageId, RunId, new_id
from app.domain.principal import Principal
from app.domain.runs import StartRun
from app.terminal.follow import LocalFollower
from app.terminal.render import RunView
from app.wiring import Desk


class Asked(msgspec.Struct, frozen=True):
    """How one question went."""

    conversation_id: ConversationId
    failed: bool


async def ask(
    desk: Desk,
    follower: LocalFollower,
    principal: Principal,
    question: str,
    *,
    console: Console,
    conversation_id: ConversationId | None = None,
    agent: str | None = None,
    as_json: bool = False,
) -> Asked:
    """Put one question to an agent and show the answer as it comes.

    Ctrl-C stops the run; what was said until then is kept.

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
    started = await desk.runs.start(command, principal)
    run_id = started.run.id
    loop = asyncio.get_running_loop()
    stopping: set[asyncio.Task[bool]] = set()

    def stop() -> None:
        stopping.add(loop.create_task(desk.runs.stop(run_id, principal)))

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        if as_json:
            failed = await _print_json(desk, follower, principal, command)
        else:
            failed = await _draw(follower, run_id, console)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return Asked(command.conversation_id, failed)


async def _draw(follower: LocalFollower, run_id: RunId, console: Console) -> bool:
    view = RunView(console)
    try:
        async for event in follower.follow(run_id):
            view.show(event)
    finally:
        view.close()
    return bool(view.ended.get("type") == "RUN_ERROR")


async def _print_json(
    desk: Desk, follower: LocalFollower, principal: Principal, command: StartRun
) -> bool:
    """Print the stored answer as REST would give it: with tool calls, claims and receipt."""
    last = ""
    async for event in follower.follow(command.run_id):
        last = event.type
    page = await desk.conversations.messages(
        principal, command.conversation_id, superseded=False, limit=10, cursor=None
    )
    answer: Any = next((m for m in page.items if m.role == "assistant"), None)
    document = {"conversationId": str(command.conversation_id), "answer": answer}
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    sys.stdout.flush()
    return last == "RUN_ERROR"


async def chat(
    desk: Desk,
    follower: LocalFollower,
    principal: Principal,
    *,
    console: Console,
    conversation_id: ConversationId | None,
    agent: str | None,
) -> None:
    """Hold a conversation until end of input; an earlier one may be resumed by its id."""
    conversation_id = conversation_id or ConversationId(new_id())
    console.print(
        Text(f"Conversation {conversation_id}. Ctrl-C stops an answer, Ctrl-D leaves.", "dim")
    )
    while True:
        try:
            question = await asyncio.to_thread(console.input, "[bold]you ›[/bold] ")
        except (EOFError, KeyboardInterrupt):
            console.print()
            console.print(Text(f"Resume with: outcry chat --resume {conversation_id}", "dim"))
            return
        if not question.strip():
            continue
        try:
            await ask(
                desk,
                follower,
                principal,
                question,
                console=console,
                conversation_id=conversation_id,
                agent=agent,
            )
        except Refusal as refusal:
            console.print(Text(refusal.message, "bold red"))
