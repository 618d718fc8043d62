"""Follow one conversation's durable events inside the process that makes them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from app.domain.ids import RunId
from app.domain.runs import StoredEvent

_ENDINGS = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class LocalFollower:
    """Implements `Publisher` for a process without sockets."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[StoredEvent] = asyncio.Queue()

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Keep `events` until they are read."""
        for event in events:
            self._events.put_nowait(event)

    async def follow(self, run_id: RunId) -> AsyncIterator[StoredEvent]:
        """Yield the run's events as they become durable, up to and including its end."""
        while True:
            event = await self._events.get()
            if event.run_id != run_id:
                continue
            yield event
            if event.type in _ENDINGS:
                return
