"""Loopback servers that answer in OpenAI's and Anthropic's wire formats, in one piece.

`tests/contracts/runtimes/test_llm_models.py` reads the OpenAI one with OpenAI's own client.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web


@dataclass
class Reply:
    """What the server does with a request."""

    answer: Any = None
    """The structured answer; a str is sent as it is written."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    finish: Literal["stop", "length", "refused"] = "stop"
    usage: tuple[int, int, int] | None = (100, 20, 30)
    """Input tokens (all), output tokens, of the input those from the cache."""
    raw: bytes | None = None
    """The whole body instead."""
    hang: bool = False
    cut: bool = False
    """End the connection in the middle."""


Decide = Callable[[str], Reply]
"""Prompt -> reply."""


class FakeModelServer:
    """Answers every request as `decide` says."""

    def __init__(self, style: Literal["openai", "anthropic"], decide: Decide) -> None:
        self.style = style
        self.decide = decide
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._now = 0
        self._closing = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeModelServer"]:
        """Listen on a free port."""
        app = web.Application(client_max_size=2**26)
        path = "/v1/chat/completions" if self.style == "openai" else "/v1/messages"
        app.router.add_post(path, self._handle)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            self._closing.set()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        reply = self.decide(body["messages"][-1]["content"])
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(0.01)
            if reply.hang:
                await self._closing.wait()
        finally:
            self._now -= 1
        if reply.cut:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"choices"')
            if request.transport is not None:
                request.transport.abort()
            return response
        if reply.raw is not None:
            return web.Response(body=reply.raw, status=reply.status, headers=reply.headers)
        if reply.status != 200:
            error = {"error": {"type": "some_error", "message": "the server's own words"}}
            return web.json_response(error, status=reply.status, headers=reply.headers)
        write = _openai if self.style == "openai" else _anthropic
        return web.json_response(write(body, reply))


def _openai(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    text = reply.answer if isinstance(reply.answer, str) else json.dumps(reply.answer)
    refused = reply.finish == "refused"
    message = {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": "I will not." if refused else None,
    }
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "stop" if refused else reply.finish,
                "logprobs": None,
            }
        ],
    }
    if reply.usage is not None:
        given, made, cached = reply.usage
        answer["usage"] = {
            "prompt_tokens": given,
            "completion_tokens": made,
            "total_tokens": given + made,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
    return answer


def _anthropic(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    if isinstance(reply.answer, str):
        block: dict[str, Any] = {"type": "text", "text": reply.answer}
    else:
        name = body["tool_choice"]["name"]
        block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": reply.answer}
    reasons = {"stop": "tool_use", "length": "max_tokens", "refused": "refusal"}
    answer: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [block],
        "stop_reason": reasons[reply.finish],
        "stop_sequence": None,
    }
    if reply.usage is not None:
        given, made, cached = reply.usage
        answer["usage"] = {
            "input_tokens": given - cached,
            "output_tokens": made,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
        }
    return answer
