"""A websocket client that costs little: hand-made frames, and a regex instead of a JSON parser.

It speaks `docs/protocol.md` over a raw transport. Frames are told apart by their headers only;
what a token's text says about when it was written gives the latency added on the way.
"""

import asyncio
import base64
import json
import os
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from tests.benchmarks.fake_llm import FROM_LETTERS

STAMP = re.compile(rb"\d{19} ")
SPELLED = re.compile(rb"[a-j]{19} ")
END = re.compile(rb'"type":"(RUN_FINISHED|RUN_ERROR)"')


class RunFailed(Exception):
    """The server refused the run, ended it with an error or closed the socket."""


@dataclass
class Answer:
    """What one run looked like from the socket. Times are monotonic nanoseconds."""

    sent_ns: int
    first_ns: int = 0
    end_ns: int = 0
    tokens: int = 0
    frames: int = 0
    bytes_received: int = 0
    text_bytes: int = 0
    """Of these, what carried text: frames with their headers."""
    latencies_ns: list[int] = field(default_factory=list)

    @property
    def ttft_ms(self) -> float:
        return (self.first_ns - self.sent_ns) / 1e6


def mask_frame(payload: bytes, *, opcode: int = 1) -> bytes:
    """Return `payload` as one masked client frame."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    key = os.urandom(4)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    return head + key + masked


class Socket(asyncio.Protocol):
    """One connection and the run that is open on it, if any."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.finished: asyncio.Future[Answer] | None = None
        self.answer: Answer | None = None
        self.in_text = True
        self.deflate = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(RunFailed(f"the connection was lost: {exc}"))

    def _fail(self, error: Exception) -> None:
        for future in (self.upgraded, self.welcomed, self.finished):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # marks it as seen: not every future has a waiter

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.buffer += data
        if not self.upgraded.done():
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end])
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._fail(RunFailed(head.decode(errors="replace")))
                return
            self.deflate = b"permessage-deflate" in head.lower()
            del self.buffer[: end + 4]
            self.upgraded.set_result(None)
        elif self.answer is not None:
            self.answer.bytes_received += len(data)
        self._take_frames(now)

    def _take_frames(self, now: int) -> None:
        buffer, at, size = self.buffer, 0, len(self.buffer)
        while size - at >= 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                if size - at < 10:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if size < start + length:
                break
            self._frame(buffer[at] & 0x0F, bytes(buffer[start : start + length]), now)
            at = start + length
        del buffer[:at]

    def _frame(self, opcode: int, payload: bytes, now: int) -> None:
        if opcode == 9:
            self.transport.write(mask_frame(payload, opcode=10))
        elif opcode == 8:
            code = int.from_bytes(payload[:2], "big")
            self._fail(RunFailed(f"closed {code}: {payload[2:].decode(errors='replace')}"))
            self.transport.close()
        elif self.answer is not None:
            self._run_frame(self.answer, payload, now)
        elif b'"type":"welcome"' in payload and not self.welcomed.done():
            self.welcomed.set_result(None)

    def _run_frame(self, answer: Answer, payload: bytes, now: int) -> None:
        answer.frames += 1
        if payload[:1] == b"[" or b'"TEXT_MESSAGE_CONTENT"' in payload:
            stamps = STAMP.findall(payload)
            if not stamps:
                stamps = [spelled.translate(FROM_LETTERS) for spelled in SPELLED.findall(payload)]
            if not answer.first_ns:
                answer.first_ns = now
            answer.tokens += len(stamps)
            answer.text_bytes += len(payload) + (2 if len(payload) < 126 else 4)
            answer.latencies_ns.extend([now - int(stamp) for stamp in stamps])
            return
        if b'"ok":false' in payload:
            self._fail(RunFailed(payload.decode(errors="replace")))
            self.answer = None
            return
        ended = END.search(payload)
        if ended is None or self.finished is None or self.finished.done():
            return
        answer.end_ns = now
        self.answer = None
        if ended[1] == b"RUN_ERROR":
            self._fail(RunFailed(payload.decode(errors="replace")))
        else:
            self.finished.set_result(answer)

    def run(self, text: str, *, thread_id: str | None = None) -> asyncio.Future[Answer]:
        """Send one user message now; the future gives the answer once the run has ended."""
        self.finished = asyncio.get_running_loop().create_future()
        frame = run_frame(thread_id or str(uuid4()), text)
        self.answer = Answer(sent_ns=time.monotonic_ns())
        self.transport.write(mask_frame(frame))
        return self.finished

    def close(self) -> None:
        """Drop the connection without a farewell."""
        self.transport.close()


def run_frame(thread_id: str, text: str) -> bytes:
    """Return a `run` frame with one user message."""
    frame = {
        "v": 1,
        "id": str(uuid4()),
        "type": "run",
        "input": {
            "threadId": thread_id,
            "runId": str(uuid4()),
            "state": {},
            "tools": [],
            "context": [],
            "messages": [{"id": str(uuid4()), "role": "user", "content": text}],
            "forwardedProps": {},
        },
    }
    return json.dumps(frame, separators=(",", ":")).encode()


async def connect(
    port: int,
    *,
    key: str = "",
    cookie: str = "",
    compact: bool = True,
    offer_deflate: bool = False,
) -> Socket:
    """Open a socket to the server on loopback and say hello.

    Raises:
        RunFailed: the handshake or the hello was refused.
    """
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(Socket, "127.0.0.1", port)
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if cookie:
        lines += [f"Cookie: {cookie}", f"Origin: http://127.0.0.1:{port}"]
    if offer_deflate:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    socket.transport.write("\r\n".join([*lines, "", ""]).encode())
    await socket.upgraded
    hello = '{"v":1,"id":"hello","type":"hello","protocolVersion":"1.0","compact":%s}'
    socket.transport.write(mask_frame((hello % ("true" if compact else "false")).encode()))
    await socket.welcomed
    return socket


@dataclass
class Round:
    """What N parallel answers add up to."""

    streams: int
    tokens: int
    seconds: float
    tokens_per_second: float
    bytes_per_token: float
    frames_per_token: float
    ttft_p50_ms: float
    ttft_p99_ms: float
    latency_p50_ms: float
    latency_p99_ms: float


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def summarize(answers: Sequence[Answer], seconds: float) -> Round:
    """Fold the answers of one round."""
    tokens = sum(answer.tokens for answer in answers)
    latencies = [latency / 1e6 for answer in answers for latency in answer.latencies_ns]
    ttfts = [answer.ttft_ms for answer in answers]
    return Round(
        streams=len(answers),
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        bytes_per_token=sum(answer.bytes_received for answer in answers) / max(tokens, 1),
        frames_per_token=sum(answer.frames for answer in answers) / max(tokens, 1),
        ttft_p50_ms=statistics.median(ttfts),
        ttft_p99_ms=percentile(ttfts, 0.99),
        latency_p50_ms=percentile(latencies, 0.50),
        latency_p99_ms=percentile(latencies, 0.99),
    )


async def run_round(sockets: Sequence[Socket], text: str, *, timeout_s: float = 120.0) -> Round:
    """Start one new conversation on every socket in the same loop tick; wait for all answers.

    Raises:
        RunFailed: any one of them failed; a round with a failure measures nothing.
    """
    started = time.monotonic()
    futures = [socket.run(text) for socket in sockets]
    async with asyncio.timeout(timeout_s):
        answers = await asyncio.gather(*futures)
    return summarize(answers, time.monotonic() - started)
