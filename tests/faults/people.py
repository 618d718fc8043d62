"""Clients that keep talking through every fault, and write down all they see.

A `Person` asks one question after another in a conversation of their own; a `Watcher` follows many
conversations on one socket. Both reconnect as `docs/protocol.md` tells: `hello` with the last `seq`
seen, then any command that was not answered again under its old id.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.client import Frame, ProtocolBroken, Wire, is_end, run_command
from tests.faults.history import Acknowledged, Log, Seen, Submitted

RETRY_CODES = ("busy", "unavailable", "run_active")
LOST = (ConnectionClosed, InvalidHandshake, OSError, EOFError, TimeoutError)
"""How a connection fails when the other side is killed; InvalidHandshake while it comes back."""


class Reader:
    """One client's memory over all its sockets: where it stands in each conversation."""

    def __init__(self, name: str, port: int, key: str, log: Log, *, compact: bool) -> None:
        self.name = name
        self.port = port
        self.key = key
        self.log = log
        self.compact = compact
        self.since: dict[str, int] = {}
        self.sockets = 0
        self.refusals: list[Frame] = []
        """What no client should be told when it keeps to the protocol."""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Wire]:
        """Connect and resume every conversation known so far."""
        async with Wire.open(self.port, key=self.key) as wire:
            self.sockets += 1
            threads = [{"threadId": t, "since": since} for t, since in self.since.items()]
            await wire.hello(compact=self.compact, threads=threads)
            yield wire

    def note(self, frame: Frame) -> None:
        """Take one frame to memory and to the log."""
        match frame["type"]:
            case "event":
                thread_id, seq = frame["threadId"], frame["seq"]
                self.log.add(
                    Seen(self.name, self.sockets, thread_id, seq, frame["event"], time.monotonic())
                )
                self.since[thread_id] = max(seq, self.since.get(thread_id, 0))
            case "gap" | "error":
                self.refusals.append(frame)


class Person(Reader):
    """Talks in one conversation until told to stop."""

    def __init__(
        self, name: str, port: int, key: str, log: Log, *, compact: bool, seed: int
    ) -> None:
        super().__init__(name, port, key, log, compact=compact)
        self.rng = random.Random(seed)
        self.conversation = str(uuid4())
        self.waiting: Frame | None = None
        """The question whose answer has not ended yet."""
        self.acknowledged = False
        self.answers = 0
        self.known = asyncio.Event()
        """Set once the conversation exists for sure."""

    async def talk(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set and the last answer has ended."""
        while not (stop.is_set() and self.waiting is None):
            try:
                async with self.connected() as wire:
                    await self._talk_on(wire, stop)
            except LOST:
                await asyncio.sleep(self.rng.uniform(0.02, 0.15))

    async def _talk_on(self, wire: Wire, stop: asyncio.Event) -> None:
        if self.waiting is not None and not self.acknowledged:
            await wire.send(self.waiting)
        while True:
            if self.waiting is None:
                if stop.is_set():
                    return
                await self._ask(wire)
            frame = await wire.receive(timeout_s=20)
            self.note(frame)
            if frame["type"] == "event":
                self._take_event(frame)
            elif frame["type"] == "reply" and self.waiting is not None:
                await self._take_reply(wire, frame, self.waiting)

    async def _ask(self, wire: Wire) -> None:
        run_id, message_id = str(uuid4()), str(uuid4())
        tokens, ms = self.rng.randint(5, 60), self.rng.choice((2, 5, 15))
        text = (
            f"question {self.answers + 1} of {self.name}: script=steady tokens={tokens} ms={ms} "
            f"run={run_id} conversation={self.conversation}"
        )
        self.waiting = run_command(
            text, thread_id=self.conversation, run_id=run_id, message_id=message_id
        )
        self.acknowledged = False
        self.log.add(
            Submitted(self.name, self.conversation, self.waiting["id"], message_id, run_id, text)
        )
        await wire.send(self.waiting)

    def _take_event(self, frame: Frame) -> None:
        if self.waiting is None or not is_end(frame["event"]):
            return
        if frame["runId"] == self.waiting["input"]["runId"]:
            self.waiting = None
            self.answers += 1

    async def _take_reply(self, wire: Wire, frame: Frame, waiting: Frame) -> None:
        if frame["id"] != waiting["id"]:
            return
        if not frame["ok"]:
            if frame["error"]["code"] not in RETRY_CODES:
                raise ProtocolBroken(f"{self.name} was refused: {frame}")
            await asyncio.sleep(self.rng.uniform(0.05, 0.2))
            await wire.send(waiting)
            return
        result = frame["result"]
        self.acknowledged = True
        self.log.add(
            Acknowledged(
                self.name,
                self.conversation,
                waiting["id"],
                result["messageId"],
                result["runId"],
            )
        )
        self.known.set()
        if self.since.setdefault(self.conversation, 0) < result["seq"]:
            # An earlier socket sent this and never saw the beginning.
            await wire.command(
                "subscribe", threadId=self.conversation, since=self.since[self.conversation]
            )


class Watcher(Reader):
    """Follows the conversations of others."""

    def __init__(self, name: str, port: int, key: str, log: Log, people: list[Person]) -> None:
        super().__init__(name, port, key, log, compact=False)
        self.people = people

    async def watch(self, stop: asyncio.Event) -> None:
        """Follow until `stop` is set and everything the people saw was seen here too."""
        while not (stop.is_set() and self._is_level()):
            try:
                async with self.connected() as wire:
                    await self._watch_on(wire, stop)
            except LOST:
                await asyncio.sleep(0.1)

    async def _watch_on(self, wire: Wire, stop: asyncio.Event) -> None:
        while not (stop.is_set() and self._is_level()):
            for person in self.people:
                if person.known.is_set() and person.conversation not in self.since:
                    self.since[person.conversation] = 0
                    await wire.command("subscribe", threadId=person.conversation, since=0)
            try:
                self.note(await wire.receive(timeout_s=0.2))
            except TimeoutError:
                continue

    def _is_level(self) -> bool:
        return all(
            person.waiting is None
            and self.since.get(person.conversation, 0) >= person.since.get(person.conversation, 0)
            for person in self.people
        )
