"""An OpenAI-compatible provider that misbehaves on request.

What it shall do stands in the newest user message, as `script=NAME` with the numbers it needs, so
a test says in one line what the user asks and how the provider fails. A message that also carries
`run=UUID conversation=UUID` is noted in the log as one attempt.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults.history import Asked, Log

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "rests")
_NAMED = re.compile(r"\b(\w{1,20})=([\w.-]+)")

Send = Callable[[bytes], Awaitable[None]]


def words(count: int) -> list[str]:
    """Return the first `count` words of the endless answer."""
    return [WORDS[index % len(WORDS)] + " " for index in range(count)]


def answer_text(count: int) -> str:
    """Return what an answer of `count` words reads."""
    return "".join(words(count))


class Provider:
    """Start with `async with`; `base_url` is what `OPENAI_BASE_URL` wants."""

    def __init__(self, log: Log | None = None) -> None:
        self.log = log or Log()
        self.requests: list[dict[str, Any]] = []
        self.cut_off: list[str] = []
        """The scripts whose connection the product closed before they were done."""
        self._seen: dict[str, int] = {}
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Provider":
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (body := await _read_request(reader)) is not None:
                await self._answer(body, reader, writer)
        except ConnectionError:
            pass  # the product hung up, which `cut_off` has noted where it matters
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(
        self, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = json.loads(body) if body else {}
        self.requests.append(request)
        question = _newest_question(request)
        options = dict(_NAMED.findall(question))
        if "run" in options and "conversation" in options:
            self.log.add(Asked(options["conversation"], options["run"]))
        name = options.get("script", "steady")
        times = self._seen[question] = self._seen.get(question, 0) + 1
        stream = _Stream(
            reader, writer, int(options.get("tokens", 20)), float(options.get("ms", 5))
        )
        script = getattr(self, f"_script_{name}")
        try:
            await script(stream, options, times)
        except ConnectionError:
            self.cut_off.append(name)
            raise

    # --- scripts ------------------------------------------------------------------------------

    async def _script_steady(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.finish()

    async def _script_cut(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        """Streams `tokens` words, then resets the connection."""
        await stream.open()
        await stream.say(words(stream.tokens))
        stream.writer.transport.abort()
        raise ConnectionResetError

    async def _script_no_end(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        """Streams `tokens` words and closes politely, without a finish or `[DONE]`."""
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.end_of_body()

    async def _script_error(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        """Streams `tokens` words, then an error object inside the stream."""
        await stream.open()
        await stream.say(words(stream.tokens))
        error = {"message": "The engine is overloaded.", "type": "server_error", "code": 503}
        await stream.event({"error": error})
        await stream.end_of_body()

    async def _script_no_usage(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.finish(usage=None)

    async def _script_absurd_usage(
        self, stream: "_Stream", options: dict[str, str], _: int
    ) -> None:
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.finish(usage=(10**12, 10**12))

    async def _script_usage_twice(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.usage(50, stream.tokens)
        await stream.finish()

    async def _script_stall(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        """Streams `tokens` words and then nothing, for as long as the product waits."""
        await stream.open()
        await stream.say(words(stream.tokens))
        await stream.hang_until_closed()

    async def _script_refuse(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        await stream.refuse(
            int(options["status"]), "Incorrect API key provided: sk-SECRET-IN-ERROR."
        )

    async def _script_second_time(
        self, stream: "_Stream", options: dict[str, str], times: int
    ) -> None:
        """Refuses with `status` the first time, answers the second time."""
        if times == 1:
            await stream.refuse(int(options["status"]), "Try again.", retry_after="0")
        else:
            await self._script_steady(stream, options, times)

    async def _script_nasty_text(self, stream: "_Stream", options: dict[str, str], _: int) -> None:
        """Splits a multi-byte character over two packets; sends NUL and a lone surrogate."""
        await stream.open()
        whole = stream.delta("é🙂 ")
        await stream.raw_split(whole, whole.index(b"\xf0\x9f") + 2)
        await stream.raw(
            stream.delta("").replace(b'"content":""', b'"content":"a\\u0000b\\ud800c "')
        )
        await stream.say(words(2))
        await stream.finish()


class _Stream:
    """Writes one answer in OpenAI's wire format."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tokens: int,
        interval_ms: float,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.tokens = tokens
        self.interval_s = interval_ms / 1000

    async def open(self) -> None:
        self.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await self.event(_chunk({"role": "assistant", "content": ""}))

    def delta(self, text: str) -> bytes:
        chunk = json.dumps(_chunk({"content": text}), ensure_ascii=False, separators=(",", ":"))
        return f"data: {chunk}\n\n".encode()

    async def say(self, pieces: list[str]) -> None:
        for piece in pieces:
            if self.interval_s:
                await asyncio.sleep(self.interval_s)
            await self.raw(self.delta(piece))

    async def event(self, value: dict[str, Any]) -> None:
        await self.raw(f"data: {json.dumps(value)}\n\n".encode())

    async def raw(self, data: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def raw_split(self, data: bytes, at: int) -> None:
        await self.raw(data[:at])
        await asyncio.sleep(0.03)
        await self.raw(data[at:])

    async def usage(self, prompt: int, completion: int) -> None:
        told = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        await self.event({**_chunk({}), "choices": [], "usage": told})

    async def finish(self, usage: tuple[int, int] | None = (50, -1)) -> None:
        """End the answer; a completion count of -1 stands for the true one."""
        await self.event(_chunk({}, finish="stop"))
        if usage is not None:
            prompt, completion = usage
            await self.usage(prompt, self.tokens if completion == -1 else completion)
        await self.raw(b"data: [DONE]\n\n")
        await self.end_of_body()

    async def end_of_body(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def hang_until_closed(self) -> None:
        await self.reader.read()
        raise ConnectionResetError

    async def refuse(self, status: int, message: str, *, retry_after: str | None = None) -> None:
        body = json.dumps({"error": {"message": message, "type": "x", "code": "x"}}).encode()
        extra = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
        head = (
            f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        await self.writer.drain()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "fake-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


async def _read_request(reader: asyncio.StreamReader) -> bytes | None:
    """Return the body of the next request, or None when the connection has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = re.search(rb"content-length: *(\d+)", head.lower())
    return await reader.readexactly(int(length[1])) if length else b""


def _newest_question(request: dict[str, Any]) -> str:
    for message in reversed(request.get("messages", [])):
        if message.get("role") == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content)
    return ""
