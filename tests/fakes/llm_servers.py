"""Loopback servers that speak OpenAI's and Anthropic's wire formats, and fail as they are told.

`tests/contracts/llms/test_fake_fidelity.py` reads the OpenAI one with OpenAI's own client.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Fault = Literal["end", "reset", "stall", "error", "garbage", "cut_json"]


@dataclass(frozen=True)
class FakeCall:
    """A tool call; `arguments` is sent as written, in as many fragments as `fragments` says."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"
    fragments: int = 3
    whole_chunk: bool = False
    """Name and all arguments in one chunk (OpenAI's format only)."""
    index: int | None = None


@dataclass(frozen=True)
class Answer:
    """What the server does with one request."""

    deltas: Sequence[str] = ("GOOG closed ", "at 806.19.")
    calls: Sequence[FakeCall] = ()
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(input=100, output=20))
    """Names: input, output, cached, written, reasoning. None: never told."""
    usage_twice: bool = False
    finish: str = "stop"
    """`stop`, `length` or `refused`; with calls, `tool_calls` is meant."""
    reasoning: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    """The inside of the error body, or of the error event."""
    fault_after: int | None = None
    """Do `fault` after this many events."""
    fault: Fault = "end"
    chunking: Literal["event", "byte", "lump"] = "event"
    newline: str = "\n"
    comments: bool = False
    ascii: bool = False
    """Write characters outside ASCII as escapes."""
    done_marker: bool = True
    """OpenAI's `[DONE]`."""
    gate: asyncio.Event | None = None
    """Waited for after the first event that carries text."""
    content_type: str = "text/event-stream"


Writer = Callable[[Answer], list[tuple[str, Any]]]


def openai_events(answer: Answer) -> list[tuple[str, Any]]:
    """Return the chunks of a chat completion as (kind, JSON value)."""

    def chunk(delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "fake-1",
            "choices": choices,
        }

    events: list[tuple[str, Any]] = [("start", chunk({"role": "assistant", "content": ""}))]
    if answer.reasoning:
        events.append(("reasoning", chunk({"reasoning_content": answer.reasoning})))
    events.extend(("text", chunk({"content": delta})) for delta in answer.deltas)
    for position, call in enumerate(answer.calls):
        index = {"index": position if call.index is None else call.index}
        head = {**index, "id": call.id, "type": "function"}
        if call.whole_chunk:
            function = {"name": call.name, "arguments": call.arguments}
            events.append(("call", chunk({"tool_calls": [{**head, "function": function}]})))
            continue
        function = {"name": call.name, "arguments": ""}
        events.append(("call", chunk({"tool_calls": [{**head, "function": function}]})))
        events.extend(
            ("call", chunk({"tool_calls": [{**index, "function": {"arguments": piece}}]}))
            for piece in _pieces(call.arguments, call.fragments)
        )
    told = {"refused": "content_filter"}.get(answer.finish, answer.finish)
    if answer.calls and told == "stop":
        told = "tool_calls"
    events.append(("finish", chunk({}, told)))
    if answer.usage is not None:
        usage = answer.usage
        told_usage = {
            "prompt_tokens": usage["input"],
            "completion_tokens": usage["output"],
            "total_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": usage.get("cached", 0)},
            "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning", 0)},
        }
        times = 2 if answer.usage_twice else 1
        events.extend([("usage", {**chunk(None), "usage": told_usage})] * times)
    if answer.done_marker:
        events.append(("done", "[DONE]"))
    return events


def anthropic_events(answer: Answer) -> list[tuple[str, Any]]:
    """Return the events of a message as (kind, JSON value)."""
    usage = answer.usage or {}
    fresh = usage.get("input", 0) - usage.get("cached", 0) - usage.get("written", 0)
    incoming = {
        "input_tokens": fresh,
        "output_tokens": 1,
        "cache_read_input_tokens": usage.get("cached", 0),
        "cache_creation_input_tokens": usage.get("written", 0),
    }
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "fake-1",
        "content": [],
        "stop_reason": None,
    }
    if answer.usage is not None:
        message["usage"] = incoming
    events: list[tuple[str, Any]] = [
        ("start", {"type": "message_start", "message": message}),
        ("start", {"type": "ping"}),
    ]
    index = 0

    def block(start: dict[str, Any], deltas: list[tuple[str, dict[str, Any]]]) -> None:
        nonlocal index
        events.append(
            ("block", {"type": "content_block_start", "index": index, "content_block": start})
        )
        events.extend(
            (kind, {"type": "content_block_delta", "index": index, "delta": delta})
            for kind, delta in deltas
        )
        events.append(("block", {"type": "content_block_stop", "index": index}))
        index += 1

    if answer.reasoning:
        thinking = {"type": "thinking_delta", "thinking": answer.reasoning}
        block({"type": "thinking", "thinking": ""}, [("reasoning", thinking)])
    if answer.deltas:
        texts = [("text", {"type": "text_delta", "text": delta}) for delta in answer.deltas]
        block({"type": "text", "text": ""}, texts)
    for call in answer.calls:
        fragments = [
            ("call", {"type": "input_json_delta", "partial_json": piece})
            for piece in ["", *_pieces(call.arguments, call.fragments)]
        ]
        block({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, fragments)
    stop = {"stop": "end_turn", "length": "max_tokens", "refused": "refusal"}[answer.finish]
    if answer.calls and stop == "end_turn":
        stop = "tool_use"
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": stop}}
    if answer.usage is not None:
        end["usage"] = {"output_tokens": usage["output"]}
    events.extend([("finish", end)] * (2 if answer.usage_twice else 1))
    events.append(("done", {"type": "message_stop"}))
    return events


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


class FakeLLMServer:
    """Answers each request with the next `Answer`; the last one again when they run out."""

    def __init__(self, style: Literal["openai", "anthropic"]) -> None:
        self.style = style
        self.answers: deque[Answer] = deque()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models = ["fake-1", "fake-2"]
        self.streaming = 0
        """Streams being written now."""
        self.connections: set[Any] = set()
        """Every TCP connection that sent a request."""
        self.left = asyncio.Event()
        """Set when a client goes away in the middle of a stream."""
        self.stalled = asyncio.Event()
        """Set when the server went silent on purpose."""
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeLLMServer"]:
        """Listen on a free loopback port."""
        app = web.Application()
        path = "/v1/chat/completions" if self.style == "openai" else "/v1/messages"
        app.router.add_post(path, self._complete)
        app.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}" + ("/v1" if self.style == "openai" else "")
        try:
            yield self
        finally:
            await runner.cleanup()

    def events(self, answer: Answer) -> list[tuple[str, Any]]:
        """Return what `answer` is made of."""
        return openai_events(answer) if self.style == "openai" else anthropic_events(answer)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if answer.status != 200:
            return web.json_response(
                {"error": answer.error}, status=answer.status, headers=answer.headers
            )
        response = web.StreamResponse(
            headers={"Content-Type": answer.content_type, **answer.headers}
        )
        await response.prepare(request)
        self.streaming += 1
        try:
            await self._write(request, response, answer)
        except ConnectionError:
            self.left.set()
        except asyncio.CancelledError:
            self.left.set()
            raise
        finally:
            self.streaming -= 1
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, answer: Answer
    ) -> None:
        gate = answer.gate
        lump = b""
        for position, (kind, value) in enumerate(self.events(answer)):
            if position == answer.fault_after:
                await response.write(lump)
                lump = b""
                if await self._fail(request, response, answer, value):
                    return
            data = self._encode(value, answer)
            match answer.chunking:
                case "event":
                    await response.write(data)
                case "byte":
                    for byte in data:
                        await response.write(bytes([byte]))
                        await asyncio.sleep(0)
                case "lump":
                    lump += data
            if gate is not None and kind == "text":
                await self._wait(request, gate)
                gate = None
        await response.write(lump)

    async def _fail(
        self, request: web.Request, response: web.StreamResponse, answer: Answer, value: Any
    ) -> bool:
        match answer.fault:
            case "end":
                return True
            case "reset":
                if request.transport is not None:
                    request.transport.abort()
                return True
            case "stall":
                self.stalled.set()
                await self._wait(request, asyncio.Event())
                return True
            case "error":
                error = {"type": "error", "error": answer.error}
                await response.write(self._encode(error, answer))
                return True
            case "garbage":
                await response.write(b"data: this is no JSON\n\n")
                return True
            case "cut_json":
                await response.write(self._encode(value, answer)[:-9])
                return True

    async def _wait(self, request: web.Request, gate: asyncio.Event) -> None:
        """Wait for `gate`, noticing when the client goes."""
        waiting = asyncio.ensure_future(gate.wait())
        try:
            while not waiting.done():
                if request.transport is None or request.transport.is_closing():
                    raise ConnectionResetError("the client has gone")
                await asyncio.wait({waiting}, timeout=0.01)
        finally:
            waiting.cancel()

    def _encode(self, value: Any, answer: Answer) -> bytes:
        newline = answer.newline
        if isinstance(value, str):
            return f"data: {value}{newline}{newline}".encode()
        body = json.dumps(value, ensure_ascii=answer.ascii)
        lines = [f"data: {body}"]
        if self.style == "anthropic":
            lines.insert(0, f"event: {value.get('type', 'error')}")
        if answer.comments:
            lines.insert(0, ": keep-alive")
        return (newline.join(lines) + newline * 2).encode("utf-8", "surrogatepass")
