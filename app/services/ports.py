"""What the services need from outside: met by storage and the gateway, joined in wiring."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agents.messages import Message
from app.domain.ids import ConversationId, RunId, UserId
from app.domain.journal import Batch
from app.domain.principal import Principal
from app.domain.runs import Run, StartedRun, StartRun, StoredEvent

__all__ = [
    "EventStore",
    "JournalStore",
    "Owners",
    "Publisher",
    "RunStore",
    "StartedRun",
]


class JournalStore(Protocol):
    """Makes batches durable."""

    async def write(self, batch: Batch) -> None:
        """Write `batch` in one transaction; writing it again changes nothing.

        Raises:
            Unavailable: the database cannot be reached or is full; nothing is known to be stored.
        """
        ...


class RunStore(Protocol):
    """Runs and the messages that start them."""

    async def start(
        self,
        command: StartRun,
        principal: Principal,
        *,
        command_hash: bytes,
        owner: str,
        now: datetime,
    ) -> StartedRun:
        """Store the user's message and the run in one transaction.

        Creates the conversation for the caller if the id is unknown; the agent named in the
        command (default: the oldest active agent) is pinned with its version. `regenerate` marks
        the answers after `from_message_id` as superseded, `edit` that message too.

        Raises:
            NotFound: the conversation or message is unknown or somebody else's.
            Conflict: `run_active`, or `idempotency_mismatch` for a known id with another hash.
        """
        ...

    async def history(
        self, conversation_id: ConversationId, *, before_run: RunId, max_turns: int
    ) -> list[Message]:
        """Return the newest finished turns before `before_run`, oldest first, with tool results.

        Per turn: the user message; an assistant message with tool requests and one tool message
        per result, if it used tools; the answer. Superseded messages are left out.
        """
        ...

    async def running(self, *, owner_not: str) -> list[Run]:
        """Return runs still marked running that another (dead) process owned."""
        ...

    async def find(self, run_id: RunId, user_id: UserId) -> Run | None: ...


class EventStore(Protocol):
    """Reads the journal back."""

    async def bounds(self, conversation_id: ConversationId) -> tuple[int, int]:
        """Return (oldest kept seq, newest seq); (1, 0) when there is none."""
        ...

    async def read(
        self, conversation_id: ConversationId, *, after: int, limit: int
    ) -> list[StoredEvent]: ...

    async def of_run(self, run_id: RunId, conversation_id: ConversationId) -> list[StoredEvent]: ...


class Owners(Protocol):
    """Answers whose a conversation is."""

    async def owner(self, conversation_id: ConversationId) -> UserId | None: ...


class Publisher(Protocol):
    """Shows durable events to whoever follows their conversation. Never waits."""

    def publish(self, events: Sequence[StoredEvent]) -> None: ...
