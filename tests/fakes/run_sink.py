"""A RunSink that remembers everything and checks what it is promised."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from agents.events import AnyEvent, RunError, RunFinished, RunStarted
from agents.runs import RunOutcome
from agents.sink import Attempt, AttemptEnd


async def _at_once() -> None:
    return None


class RecordingSink:
    """Keeps events as the JSON values a client would get."""

    def __init__(self, *, said: Callable[[int], None] | None = None) -> None:
        """`said` is told the number of the event, text or attempt that was just taken."""
        self.events: list[dict[str, Any]] = []
        self.attempts: dict[UUID, Attempt] = {}
        self.ends: list[AttemptEnd] = []
        self.room: Callable[[], Awaitable[None]] = _at_once
        self.refuse: Exception | None = None
        self.announcing: Callable[[], Awaitable[None]] = _at_once
        self._said = said
        self._count = 0

    def emit(self, event: AnyEvent) -> None:
        self.events.append(msgspec.json.decode(msgspec.json.encode(event)))
        self._note()

    def text(self, message_id: str, delta: str) -> None:
        assert delta
        self.events.append(
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}
        )
        self._note()

    async def wait_for_room(self) -> None:
        await self.room()

    async def attempt_started(self, attempt: Attempt) -> None:
        if self.refuse is not None:
            raise self.refuse
        await self.announcing()
        assert attempt.id not in self.attempts
        self.attempts[attempt.id] = attempt
        self._note()

    def attempt_ended(self, end: AttemptEnd) -> Decimal | None:
        assert end.attempt_id in self.attempts, "ended before it was announced"
        assert end.attempt_id not in {e.attempt_id for e in self.ends}, "ended twice"
        self.ends.append(end)
        self._note()
        return Decimal(0)

    def _note(self) -> None:
        self._count += 1
        if self._said is not None:
            self._said(self._count)

    # --- what tests ask -----------------------------------------------------------------------

    def all_closed(self) -> bool:
        """Tell whether every attempt was closed."""
        return {end.attempt_id for end in self.ends} == set(self.attempts)

    def kinds(self) -> list[str]:
        """The types of all events, text deltas of one message as one."""
        kinds: list[str] = []
        for event in self.events:
            if event["type"] != "TEXT_MESSAGE_CONTENT" or kinds[-1] != "TEXT_MESSAGE_CONTENT":
                kinds.append(event["type"])
        return kinds

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All events of one type."""
        return [event for event in self.events if event["type"] == kind]

    def texts(self) -> list[str]:
        """The text of each message, in order."""
        messages: dict[str, str] = {}
        for event in self.events:
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                messages[event["messageId"]] = messages.get(event["messageId"], "") + event["delta"]
        return list(messages.values())

    def whole_run(self, outcome: RunOutcome) -> list[dict[str, Any]]:
        """The run as a client sees it: with the start and the end that the server adds."""
        start = RunStarted(thread_id="t", run_id="r", protocol_version="1.0", input=_INPUT)
        end: AnyEvent
        if outcome.status == "failed":
            end = RunError(message=outcome.error_message or "", code=outcome.error_code or "")
        else:
            kind = "success" if outcome.status == "finished" else "cancelled"
            end = RunFinished(thread_id="t", run_id="r", outcome={"type": kind})
        first, last = (msgspec.json.decode(msgspec.json.encode(event)) for event in (start, end))
        return [first, *self.events, last]


_INPUT: dict[str, Any] = {
    "threadId": "t",
    "runId": "r",
    "state": {},
    "messages": [],
    "tools": [],
    "context": [],
    "forwardedProps": {},
}


class Gate:
    """Something to stand still at: `entered` is set by whoever comes, `open` lets them on."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self) -> None:
        """Wait here."""
        self.entered.set()
        await self.open.wait()
