"""Stand-ins for what the websocket door needs, and a socket without a network."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain.errors import Invalid, NotFound, Refusal
from app.domain.ids import AgentId, ConversationId, RunId, UserId
from app.domain.principal import ALL_SCOPES, Principal
from app.domain.runs import Run, StartRun, StoredEvent
from app.gateway.hub import Hub
from app.gateway.market_hub import MarketHub, Notices
from app.gateway.session import Services
from app.gateway.socket import Gateway, GatewayPolicy
from app.services.ports import StartedRun


class Desk:
    """A journal, its owners, runs and credentials in memory: every port of the gateway."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.market = MarketHub()
        self.notices = Notices()
        self.wanted: list[tuple[str, str]] = []
        self.me = principal()
        self.other = principal()
        self.journal: dict[ConversationId, list[StoredEvent]] = {}
        self.owned: dict[ConversationId, UserId] = {}
        self.sessions: dict[str, Principal] = {"mine": self.me, "theirs": self.other}
        self.keys: dict[str, Principal] = {"my-key": self.me, "their-key": self.other}
        self.revoked: set[str] = set()
        self.reading = asyncio.Event()
        self.read_gate: asyncio.Event | None = None
        self.started: list[StartRun] = []
        self.stopped: list[RunId] = []
        self.refuse: Refusal | None = None
        self.checks = 0

    # EventStore

    async def bounds(self, conversation_id: ConversationId) -> tuple[int, int]:
        events = self.journal.get(conversation_id)
        return (events[0].seq, events[-1].seq) if events else (1, 0)

    async def read(
        self, conversation_id: ConversationId, *, after: int, limit: int
    ) -> list[StoredEvent]:
        self.reading.set()
        if self.read_gate is not None:
            await self.read_gate.wait()
        await asyncio.sleep(0)
        events = self.journal.get(conversation_id, [])
        return [event for event in events if event.seq > after][:limit]

    async def of_run(self, run_id: RunId, conversation_id: ConversationId) -> list[StoredEvent]:
        return [e for e in self.journal.get(conversation_id, []) if e.run_id == run_id]

    # Owners

    async def owner(self, conversation_id: ConversationId) -> UserId | None:
        return self.owned.get(conversation_id)

    # Runs

    async def start(self, command: StartRun, principal: Principal) -> StartedRun:
        if self.refuse is not None:
            raise self.refuse
        owner = self.owned.setdefault(command.conversation_id, principal.user_id)
        if owner != principal.user_id:
            raise NotFound("There is no such conversation.")
        known = any(old.command_id == command.command_id for old in self.started)
        if not known:
            self.started.append(command)
        last_seq = len(self.journal.get(command.conversation_id, []))
        run = Run(
            id=command.run_id,
            conversation_id=command.conversation_id,
            user_id=principal.user_id,
            agent_id=AgentId(uuid4()),
            agent_version=1,
            status="running",
            user_message_id=command.message_id,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return StartedRun(
            run=run,
            agent=None,  # type: ignore[arg-type]  # the door never looks at it
            created=not known,
            last_seq=last_seq,
            question=command.content,
        )

    async def stop(self, run_id: RunId, principal: Principal) -> bool:
        if not any(command.run_id == run_id for command in self.started):
            raise NotFound("There is no such run.")
        self.stopped.append(run_id)
        return True

    # Authenticator

    async def by_session(self, token: str) -> Principal | None:
        return self.sessions.get(token)

    async def by_api_key(self, key: str) -> Principal | None:
        return self.keys.get(key)

    async def recheck(self, principals: Sequence[Principal]) -> Sequence[Principal | None]:
        self.checks += 1
        return [None if p.credential_id in self.revoked else p for p in principals]

    # Quotes

    async def check(self, symbols: Sequence[str], timeframe: str) -> None:
        if timeframe not in ("1m", "1d"):
            raise Invalid("There are 1m and 1d.", code="unknown_timeframe")
        if unknown := [symbol for symbol in symbols if symbol == "NOPE"]:
            raise NotFound(f"There is no {unknown[0]}.", code="unknown_symbol")

    def want(self, symbol: str, timeframe: str) -> None:
        self.wanted.append((symbol, timeframe))

    # Origins

    def allows(self, origin: str, *, host: str) -> bool:
        return origin == f"http://{host}"

    # The journal's side

    def conversation(self, owner: Principal | None = None) -> ConversationId:
        conversation_id = ConversationId(uuid4())
        self.journal[conversation_id] = []
        self.owned[conversation_id] = (owner or self.me).user_id
        return conversation_id

    def say(self, conversation_id: ConversationId, *events: tuple[str, str, str | None]) -> None:
        """Make events durable and publish them, as a commit does."""
        kept = self.keep(conversation_id, *events)
        self.hub.publish(kept)

    def keep(
        self, conversation_id: ConversationId, *events: tuple[str, str, str | None]
    ) -> list[StoredEvent]:
        """Make events durable without publishing them."""
        journal = self.journal.setdefault(conversation_id, [])
        run_id = RunId(UUID(int=conversation_id.int ^ 1))
        kept = []
        for type_, payload, message_id in events:
            kept.append(
                StoredEvent(
                    conversation_id=conversation_id,
                    seq=journal[-1].seq + 1 if journal else 1,
                    run_id=run_id,
                    type=type_,
                    payload=payload,
                    message_id=message_id,
                )
            )
            journal.append(kept[-1])
        return kept

    def services(self) -> Services:
        return Services(
            hub=self.hub,
            market=self.market,
            notices=self.notices,
            quotes=self,
            runs=self,
            events=self,
            owners=self,
            authenticator=self,
            llm=lambda: {"provider": "builtin", "model": "desk"},
        )

    def gateway(self, **policy: Any) -> Gateway:
        return Gateway(self.services(), self, GatewayPolicy(**policy))


def principal() -> Principal:
    user_id = UserId(uuid4())
    return Principal(
        user_id=user_id,
        email=f"{user_id}@example.com",
        name="Somebody",
        role="user",
        scopes=ALL_SCOPES - {"admin"},
        credential="session",
        credential_id=str(user_id),
    )


def start(message_id: str) -> tuple[str, str, str | None]:
    payload = {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}
    return ("TEXT_MESSAGE_START", json.dumps(payload), None)


def delta(message_id: str, text: str) -> tuple[str, str, str | None]:
    return ("TEXT_MESSAGE_CONTENT", text, message_id)


def end(message_id: str) -> tuple[str, str, str | None]:
    return (
        "TEXT_MESSAGE_END",
        json.dumps({"type": "TEXT_MESSAGE_END", "messageId": message_id}),
        None,
    )


class FakeSocket:
    """The server's side of one ASGI websocket, and a client's hands on it."""

    def __init__(self, gateway: Gateway, **scope: Any) -> None:
        self.sent: list[bytes | str] = []
        self.answers: list[dict[str, Any]] = []
        self.accepted = asyncio.Event()
        self.closed: tuple[int, str] | None = None
        self.ended = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._in.put_nowait({"type": "websocket.connect"})
        self._changed = asyncio.Condition()
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/ws",
            "headers": [(b"authorization", b"Bearer my-key"), (b"host", b"desk")],
            "query_string": b"",
            "client": ("192.0.2.1", 1000),
            "extensions": {"websocket.http.response": {}},
            **scope,
        }
        self.task = asyncio.create_task(self._serve(gateway))
        self._commands = 0

    async def _serve(self, gateway: Gateway) -> None:
        try:
            await gateway(self.scope, self._in.get, self._send)
        finally:
            self.ended.set()
            await self._notify()

    async def _send(self, message: dict[str, Any]) -> None:
        await self.reading.wait()
        match message["type"]:
            case "websocket.accept":
                self.accepted.set()
            case "websocket.send":
                self.sent.append(message["text"])
            case "websocket.close":
                self.closed = (message["code"], message.get("reason", ""))
                self._in.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
            case _:
                self.answers.append(message)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def say(self, type_: str, *, command_id: str | None = None, **fields: Any) -> str:
        """Send a command."""
        self._commands += 1
        command_id = command_id or f"command-{self._commands}"
        self.say_raw(json.dumps({"v": 1, "id": command_id, "type": type_, **fields}))
        return command_id

    def say_raw(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        self._in.put_nowait({"type": "websocket.receive", "bytes": data})

    def hello(self, *threads: tuple[UUID, int], compact: bool = False) -> str:
        return self.say(
            "hello",
            protocolVersion="1.0",
            compact=compact,
            threads=[{"threadId": str(thread), "since": since} for thread, since in threads],
        )

    async def leave(self) -> None:
        """Break the connection, as a lost network does."""
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1006})
        async with asyncio.timeout(5):
            await self.ended.wait()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds; it is looked at after everything sent."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    async def frame(self, **fields: Any) -> dict[str, Any]:
        """Wait for a frame with these fields and return the first such."""

        def found() -> list[dict[str, Any]]:
            return [
                frame
                for frame in self.frames()
                if isinstance(frame, dict)
                and all(frame.get(name) == value for name, value in fields.items())
            ]

        await self.until(found)
        return found()[0]

    def frames(self) -> list[Any]:
        return [json.loads(text) for text in self.sent]

    async def until_closed(self) -> tuple[int, str]:
        async with asyncio.timeout(5):
            await self.ended.wait()
        assert self.closed is not None, "the socket ended without a close frame"
        return self.closed


class Reader:
    """A reference client: makes transcripts of frames, plain or compact, and resume points."""

    def __init__(self) -> None:
        self.events: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self._open: tuple[str, str] | None = None

    def new_socket(self) -> None:
        """Forget what only holds on one socket."""
        self._open = None

    def take(self, text: str | bytes) -> None:
        frame = json.loads(text)
        if isinstance(frame, list):
            seq, piece = frame
            assert self._open is not None, "an array must continue an open message"
            thread_id, message_id = self._open
            event = {
                "type": "TEXT_MESSAGE_CONTENT",
                "messageId": message_id,
                "delta": piece,
                "metadata": {"outcry": {"seq": seq}},
            }
            self.events[thread_id].append((seq, event))
        elif frame["type"] == "event":
            event = frame["event"]
            assert event["metadata"]["outcry"]["seq"] == frame["seq"]
            self.events.setdefault(frame["threadId"], []).append((frame["seq"], event))
            opens = event["type"] in ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT")
            self._open = (frame["threadId"], event["messageId"]) if opens else None

    def take_all(self, socket: FakeSocket) -> "Reader":
        for text in socket.sent:
            self.take(text)
        return self

    def since(self, thread_id: UUID) -> int:
        events = self.events.get(str(thread_id))
        return events[-1][0] if events else 0

    def transcript(self, thread_id: UUID) -> dict[str, str]:
        texts: dict[str, str] = {}
        for _, event in self.events.get(str(thread_id), []):
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                message_id = event["messageId"]
                texts[message_id] = texts.get(message_id, "") + event["delta"]
        return texts

    def seqs(self, thread_id: UUID) -> list[int]:
        return [seq for seq, _ in self.events.get(str(thread_id), [])]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def connect() -> Callable[..., FakeSocket]:
    return FakeSocket


@pytest.fixture
def reader() -> Callable[[], Reader]:
    return Reader


@pytest.fixture
def text_events() -> Any:
    """The three events of a text message: `start`, `delta`, `end`."""

    class TextEvents:
        start = staticmethod(start)
        delta = staticmethod(delta)
        end = staticmethod(end)

    return TextEvents
