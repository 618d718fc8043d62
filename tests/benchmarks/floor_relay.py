"""The floor of G1: the least a Python process can do between an LLM's stream and a websocket.

No sign-in, no storage, no agent, no accounting: each piece of text read from the LLM leaves as one
frame. It speaks just enough of `docs/protocol.md` for the load client of this folder.

Run it as `python -m tests.benchmarks.floor_relay --port 0 --llm-port N`; it prints its port.
"""

import argparse
import asyncio
import re
from typing import cast

import picows
import uvloop

CONTENT = re.compile(rb'"content":"([^"]+)"')
MESSAGE = re.compile(rb'"content":"(tokens=[^"]*)"')
TEXT = picows.WSMsgType.TEXT


class Upstream(asyncio.Protocol):
    """One connection to the LLM, kept for the next run of the same socket."""

    def __init__(self, downstream: picows.WSTransport) -> None:
        self.downstream = downstream
        self.seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, message: bytes) -> None:
        body = b'{"model":"fake-1","stream":true,"messages":[{"role":"user","content":"%s"}]}'
        body %= message
        self.transport.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: floor\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )

    def data_received(self, data: bytes) -> None:
        if text := b"".join(CONTENT.findall(data)):
            self.seq += 1
            self.downstream.send(TEXT, b'[%d,"%s"]' % (self.seq, text))
        if b"[DONE]" in data:
            self.downstream.send(TEXT, b'{"type":"event","event":{"type":"RUN_FINISHED"}}')


class Relay(picows.WSListener):
    """One websocket."""

    def __init__(self, llm_port: int) -> None:
        self.llm_port = llm_port
        self.upstream: Upstream | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        if b'"type":"hello"' in payload:
            transport.send(TEXT, b'{"type":"welcome"}')
        elif asked := MESSAGE.search(payload):
            task = asyncio.create_task(self._run(transport, asked[1]))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _run(self, transport: picows.WSTransport, message: bytes) -> None:
        if self.upstream is None:
            loop = asyncio.get_running_loop()
            _, self.upstream = await loop.create_connection(
                lambda: Upstream(transport), "127.0.0.1", self.llm_port
            )
        self.upstream.ask(message)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        if self.upstream is not None:
            self.upstream.transport.close()


async def serve(port: int, llm_port: int) -> None:
    """Listen on loopback until the process ends; print the port once bound."""
    server = await picows.ws_create_server(lambda _: Relay(llm_port), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--llm-port", type=int, required=True)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.llm_port))


if __name__ == "__main__":
    main()
