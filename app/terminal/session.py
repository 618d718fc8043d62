"""Open the desk inside a terminal program, ask or talk, and close it again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from rich.console import Console

from app.domain.ids import ConversationId
from app.domain.principal import Principal
from app.observability.logs import configure_logging
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.terminal.talk import Outcome, Talk, ask, chat
from app.wiring.desk import Desk, open_desk


async def ask_once(
    settings: Settings, question: str, *, agent: str | None, resume: UUID | None, as_json: bool
) -> Outcome:
    """Answer one question and tell how it went."""
    async with _talk(settings) as talk:
        resumed = ConversationId(resume) if resume else None
        if resumed is not None:
            await talk.desk.conversations.get(talk.principal, resumed)
        asked = await ask(talk, question, conversation_id=resumed, agent=agent, as_json=as_json)
        if not as_json:
            hint = f"Go on with: outcry chat --resume {asked.conversation_id}"
            talk.err.print(hint, style="dim", soft_wrap=True)
    return asked.outcome


async def chat_session(settings: Settings, *, agent: str | None, resume: UUID | None) -> None:
    """Talk until the person leaves."""
    async with _talk(settings) as talk:
        await chat(talk, resumed=ConversationId(resume) if resume else None, agent=agent)


@asynccontextmanager
async def _talk(settings: Settings) -> AsyncIterator[Talk]:
    configure_logging(level="WARNING", json_lines=settings.log_json)
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    follower = LocalFollower()
    with err.status("Opening the desk …") as status:
        async with open_desk(settings, follower, on_progress=status.update) as desk:
            status.stop()
            _heed_ctrl_c()
            yield Talk(desk, follower, local_principal(desk), out, err)


def _heed_ctrl_c() -> None:
    """Leave now if Ctrl-C was pressed while the desk opened and nobody took notice.

    Python 3.11's `asyncio.wait_for`, which the database driver uses, loses a cancellation that
    comes in the same moment as what was waited for.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def local_principal(desk: Desk) -> Principal:
    """Return whoever runs this desk, as who asks in the terminal."""
    return desk.owner.principal("local", "local")
