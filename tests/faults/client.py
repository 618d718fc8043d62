"""A plain client of `docs/protocol.md`: says exactly what it is told to, hides nothing.

`Wire` is one websocket. It reads both forms of text deltas and gives every event back in full, so
a test reads the same whether `compact` was asked for or not. What breaks the protocol (an array
that continues no message, a frame without a type) fails the test that sees it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

Frame = dict[str, Any]


class ProtocolBroken(AssertionError):
    """The server said what `docs/protocol.md` does not allow."""


def as_json(frame: Frame) -> str:
    """Return the frame as browsers write it; lone surrogates can only travel escaped."""
    text = json.dumps(frame, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(frame)
    return text


class Wire:
    """One websocket, open until its context ends."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._open: tuple[str, str, str] | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        port: int,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        path: str = "/ws",
    ) -> AsyncIterator["Wire"]:
        """Connect and say nothing."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if origin is not None:
            sent["Origin"] = origin
        async with connect(
            f"ws://127.0.0.1:{port}{path}",
            additional_headers=sent,
            compression=None,
            proxy=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            close_timeout=2,
        ) as connection:
            yield cls(connection)

    async def send(self, frame: Frame | str | bytes) -> None:
        """Send one frame; text and bytes go out as they are."""
        await self.connection.send(as_json(frame) if isinstance(frame, dict) else frame)

    async def command(self, type_: str, **fields: Any) -> str:
        """Send one command with a fresh id; return the id."""
        command_id = fields.pop("id", None) or str(uuid4())
        await self.send({"v": 1, "id": command_id, "type": type_, **fields})
        return str(command_id)

    async def receive(self, *, timeout_s: float = 15) -> Frame:
        """Return the next frame, a compact delta as the event it stands for.

        Raises:
            ConnectionClosed: the server closed the socket.
        """
        async with asyncio.timeout(timeout_s):
            frame = json.loads(await self.connection.recv())
        if isinstance(frame, list):
            if self._open is None:
                raise ProtocolBroken(f"{frame} continues no message")
            thread_id, run_id, message_id = self._open
            seq, delta = frame
            return {
                "type": "event",
                "threadId": thread_id,
                "runId": run_id,
                "seq": seq,
                "event": {
                    "type": "TEXT_MESSAGE_CONTENT",
                    "messageId": message_id,
                    "delta": delta,
                    "metadata": {"outcry": {"seq": seq}},
                },
                "compact": True,
            }
        if not isinstance(frame, dict) or "type" not in frame:
            raise ProtocolBroken(f"{frame!r} has no type")
        if frame["type"] == "event":
            self._event(frame)
        return frame

    def _event(self, frame: Frame) -> None:
        event = frame["event"]
        if event["type"] in ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"):
            self._open = (frame["threadId"], frame["runId"], event["messageId"])
        else:
            self._open = None
        if event.get("metadata", {}).get("outcry", {}).get("seq") != frame["seq"]:
            raise ProtocolBroken(f"the event in {frame} carries another seq")

    async def until(
        self, done: Callable[[Frame], bool], *, timeout_s: float = 30
    ) -> tuple[Frame, list[Frame]]:
        """Return the first frame that is `done`, and all frames up to and with it."""
        frames: list[Frame] = []
        async with asyncio.timeout(timeout_s):
            while True:
                frames.append(await self.receive(timeout_s=timeout_s))
                if done(frames[-1]):
                    return frames[-1], frames

    async def reply_to(self, command_id: str, *, timeout_s: float = 30) -> Frame:
        """Return the answer to one command: its `reply`, or the `error` that names it."""
        frame, _ = await self.until(
            lambda f: (
                (f["type"] == "reply" and f["id"] == command_id)
                or (f["type"] == "error" and f.get("ref") == command_id)
            ),
            timeout_s=timeout_s,
        )
        return frame

    async def hello(self, *, compact: bool = False, threads: list[Frame] | None = None) -> Frame:
        """Say hello; return the welcome."""
        await self.command(
            "hello",
            id="hello",
            protocolVersion="1.0",
            compact=compact,
            **({"threads": threads} if threads is not None else {}),
        )
        frame = await self.receive()
        if frame["type"] != "welcome":
            raise ProtocolBroken(f"hello was answered by {frame}")
        return frame

    async def run(self, text: Any, **chosen: Any) -> Frame:
        """Send a user message; return the command as sent."""
        frame = run_command(text, **chosen)
        await self.send(frame)
        return frame

    async def ask(self, text: Any, **chosen: Any) -> "Answer":
        """Send a user message and read the run to its end."""
        frame = await self.run(text, **chosen)
        run_id = frame["input"]["runId"]
        reply = await self.reply_to(frame["id"])
        if not reply.get("ok"):
            raise ProtocolBroken(f"the run was refused: {reply}")
        _, frames = await self.until(
            lambda f: f["type"] == "event" and f["runId"] == run_id and is_end(f["event"])
        )
        return Answer(frame, reply, [f for f in frames if f["type"] == "event"])

    async def closed(self, *, timeout_s: float = 15) -> tuple[int, str]:
        """Wait for the server to close the socket; return the code and the reason."""
        async with asyncio.timeout(timeout_s):
            await self.connection.wait_closed()
        return self.connection.close_code or 0, self.connection.close_reason or ""

    def drop(self) -> None:
        """Cut the connection without a farewell, as a lost network does."""
        self.connection.transport.abort()


class Answer:
    """One run as a client saw it."""

    def __init__(self, command: Frame, reply: Frame, frames: list[Frame]) -> None:
        self.command = command
        self.reply = reply
        self.frames = frames
        self.thread_id: str = command["input"]["threadId"]
        self.run_id: str = command["input"]["runId"]
        self.events: list[Frame] = [frame["event"] for frame in frames]

    @property
    def text(self) -> str:
        return "".join(e["delta"] for e in self.events if e["type"] == "TEXT_MESSAGE_CONTENT")

    @property
    def end(self) -> Frame:
        return self.events[-1]

    @property
    def receipt(self) -> Frame:
        receipt: Frame = self.end["metadata"]["outcry"]["receipt"]
        return receipt


def is_end(event: Frame) -> bool:
    """Tell whether `event` is the last of its run."""
    return event["type"] in ("RUN_FINISHED", "RUN_ERROR")


def run_command(
    text: Any,
    *,
    id: str | None = None,
    thread_id: str | None = None,
    run_id: str | None = None,
    message_id: str | None = None,
    outcry: Frame | None = None,
) -> Frame:
    """Return a `run` frame with one user message and fresh ids where none are given."""
    return {
        "v": 1,
        "id": id or str(uuid4()),
        "type": "run",
        "input": {
            "threadId": thread_id or str(uuid4()),
            "runId": run_id or str(uuid4()),
            "state": {},
            "tools": [],
            "context": [],
            "messages": [{"id": message_id or str(uuid4()), "role": "user", "content": text}],
            "forwardedProps": {"outcry": outcry} if outcry else {},
        },
    }
