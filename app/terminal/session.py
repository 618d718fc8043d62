"""Open the desk inside a terminal program, ask or talk, and close it again."""

from uuid import UUID

from rich.console import Console

from app.domain.ids import ConversationId
from app.domain.principal import Principal
from app.observability.logs import configure_logging
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.terminal.talk import ask, chat
from app.wiring import Desk, open_desk

_err = Console(stderr=True)


async def ask_once(settings: Settings, question: str, *, agent: str | None, as_json: bool) -> bool:
    """Answer one question; True when the answer failed."""
    configure_logging(level="WARNING", json_lines=settings.log_json)
    follower = LocalFollower()
    with _err.status("Opening the desk …") as status:
        async with open_desk(settings, follower, on_progress=status.update) as desk:
            status.stop()
            asked = await ask(
                desk,
                follower,
                local_principal(desk),
                question,
                console=Console(),
                agent=agent,
                as_json=as_json,
            )
    return asked.failed


async def chat_session(settings: Settings, *, agent: str | None, resume: UUID | None) -> None:
    """Talk until the person leaves."""
    configure_logging(level="WARNING", json_lines=settings.log_json)
    follower = LocalFollower()
    with _err.status("Opening the desk …") as status:
        async with open_desk(settings, follower, on_progress=status.update) as desk:
            status.stop()
            await chat(
                desk,
                follower,
                local_principal(desk),
                console=Console(),
                conversation_id=ConversationId(resume) if resume else None,
                agent=agent,
            )


def local_principal(desk: Desk) -> Principal:
    """Return whoever runs this desk, as who asks in the terminal."""
    return desk.owner.principal("local", "local")
