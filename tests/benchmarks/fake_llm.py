"""An OpenAI-compatible `/v1/chat/completions` that streams at a set pace and costs next to nothing.

What to stream stands in the newest user message, so it travels through the product unchanged:
`tokens=100 interval_ms=10 text=stamps`. Every token is 20 characters long.

- `stamps`: the 19-digit monotonic clock in nanoseconds at which it was written, and a space, so any
  client of any protocol can tell the added latency of every token.
- `letters`: the same clock with the digits 0-9 spelled a-j: prose to whoever looks for numbers.
- `words`: fresh random words that no compressor shrinks.

The first token comes one interval after the request; with ` spread` at the end of the directive
anything up to one interval later, so that streams that began together do not tick together.

Run it as `python -m tests.benchmarks.fake_llm --port 0`; it prints its port.
"""

import argparse
import asyncio
import random
import re
import string
import time
from typing import cast

import uvloop

DIRECTIVE = re.compile(rb"tokens=(\d+) interval_ms=(\d+) text=(stamps|letters|words)( spread)?")
DEFAULT_SCRIPT = (20, 10, b"stamps", False)
TOKEN_CHARACTERS = 20
TO_LETTERS = bytes.maketrans(b"0123456789", b"abcdefghij")
FROM_LETTERS = bytes.maketrans(b"abcdefghij", b"0123456789")

_rng = random.Random(20261122)
_WORDS = [
    "".join(_rng.choices(string.ascii_letters, k=TOKEN_CHARACTERS - 1)).encode() + b" "
    for _ in range(4096)
]

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_OPEN = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,'
    b'"model":"fake-1","choices":[{"index":0,"delta":'
)
_CLOSE = b'},"finish_reason":null}]}\n\n'


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


_EMPTY = _chunk(_OPEN + b'{"content":"' + b" " * TOKEN_CHARACTERS + b'"' + _CLOSE)
_BEFORE, _AFTER = _EMPTY.split(b" " * TOKEN_CHARACTERS)
ROLE = _chunk(_OPEN + b'{"role":"assistant","content":""' + _CLOSE)


def token_text(kind: bytes) -> bytes:
    """Return the next 20 characters of an answer."""
    if kind == b"words":
        return random.choice(_WORDS)
    stamp = b"%019d " % time.monotonic_ns()
    return stamp if kind == b"stamps" else stamp.translate(TO_LETTERS)


def ending(tokens: int, prompt_tokens: int) -> bytes:
    """Return the finish, the usage and the end marker of one stream."""
    head = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,'
        b'"model":"fake-1",'
    )
    finish = head + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    usage = head + (
        b'"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}\n\n'
        % (prompt_tokens, tokens, prompt_tokens + tokens)
    )
    return _chunk(finish) + _chunk(usage) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def script_of(body: bytes) -> tuple[int, int, bytes, bool]:
    """Return (tokens, interval in ms, kind of text, spread) as the newest directive asks."""
    found = DIRECTIVE.match(body, max(body.rfind(b"tokens="), 0))
    if found is None:
        return DEFAULT_SCRIPT
    return int(found[1]), int(found[2]), found[3], found[4] is not None


class FakeLLM(asyncio.Protocol):
    """One connection; answers one request after another."""

    def __init__(self) -> None:
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self.buffer[:head_end].lower()
        length = re.search(rb"content-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        if len(self.buffer) < head_end + 4 + size:
            return
        body = self.buffer[head_end + 4 : head_end + 4 + size]
        self.buffer = self.buffer[head_end + 4 + size :]
        if head.startswith(b"get "):
            self._answer_models()
        else:
            self._start(body)

    def _answer_models(self) -> None:
        body = b'{"object":"list","data":[{"id":"fake-1","object":"model","owned_by":"fake"}]}'
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )

    def _start(self, body: bytes) -> None:
        self.total, interval_ms, self.kind, spread = script_of(body)
        self.left = self.total
        self.prompt_tokens = len(body) // 4
        self.transport.write(HEAD + ROLE)
        if interval_ms == 0:
            pieces = [_BEFORE + token_text(self.kind) + _AFTER for _ in range(self.total)]
            self.transport.write(b"".join(pieces) + ending(self.total, self.prompt_tokens))
            return
        self.interval_s = interval_ms / 1000
        late_s = self.interval_s * random.random() if spread else 0.0
        self.due = self.loop.time() + self.interval_s + late_s
        self.timer = self.loop.call_at(self.due, self._tick)

    def _tick(self) -> None:
        self.transport.write(_BEFORE + token_text(self.kind) + _AFTER)
        self.left -= 1
        if self.left:
            self.due += self.interval_s
            self.timer = self.loop.call_at(self.due, self._tick)
        else:
            self.timer = None
            self.transport.write(ending(self.total, self.prompt_tokens))


async def serve(port: int) -> None:
    """Listen on loopback until the process ends; print the port once bound."""
    server = await asyncio.get_running_loop().create_server(
        FakeLLM, "127.0.0.1", port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
