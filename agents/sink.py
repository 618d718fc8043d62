"""How a run speaks while it works: the port that the server's journal implements.

Everything here is synchronous except where the run must wait for durability, so that the token
path costs no task, queue or object per token.
"""

from decimal import Decimal
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from agents.events import AnyEvent
from agents.messages import Usage


class Attempt(msgspec.Struct, frozen=True):
    """One request to one LLM provider, announced before its first byte is sent."""

    id: UUID
    provider: str
    model: str
    estimated_input_tokens: int
    max_output_tokens: int


class AttemptEnd(msgspec.Struct, frozen=True):
    """How an attempt went. `usage` is None when the provider never told."""

    attempt_id: UUID
    status: Literal["succeeded", "failed", "cancelled", "interrupted"]
    """`interrupted`: the process that made it died; somebody else settles it."""
    usage: Usage | None
    streamed_characters: int
    """Text and tool arguments received; what an estimate is made from when usage is missing."""
    latency_ms: int
    error_code: str | None = None


class RunSink(Protocol):
    """Takes what a run says, in order. Nothing given to it is shown before it is durable."""

    def emit(self, event: AnyEvent) -> None:
        """Append one event."""
        ...

    def text(self, message_id: str, delta: str) -> None:
        """Append streamed text to the open message; neighbours may be merged into one event."""
        ...

    async def wait_for_room(self) -> None:
        """Return at once, or wait while too much is unwritten (a slow or absent database)."""
        ...

    async def attempt_started(self, attempt: Attempt) -> None:
        """Reserve the attempt's worst-case cost; returns once that is durable.

        `attempt_ended` follows exactly once if this returned, and not if it did not: a reservation
        whose announcing was cancelled is the sink's own to settle.

        Raises:
            BudgetExceeded: the reservation does not fit; nothing was sent.
        """
        ...

    def attempt_ended(self, end: AttemptEnd) -> Decimal | None:
        """Settle an attempt exactly once; return its price in USD, None when unpriced."""
        ...
