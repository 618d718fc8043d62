"""The door under uvicorn with a real client, over our own protocol class and over plain ASGI."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from app.gateway.direct_wire import DirectWire
from app.gateway.socket import Gateway

SERVERS = [pytest.param(DirectWire, id="direct"), pytest.param("websockets-sansio", id="asgi")]
BIG = "x" * 20_000


class Server:
    """A running uvicorn."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.uvicorn = server
        self.port: int = server.servers[0].sockets[0].getsockname()[1]

    def connect(self, **options: Any) -> connect:
        headers = {"Authorization": "Bearer my-key", **options.pop("headers", {})}
        return connect(
            f"ws://127.0.0.1:{self.port}/ws{options.pop('query', '')}",
            additional_headers={name: value for name, value in headers.items() if value},
            proxy=None,
            **options,
        )


@asynccontextmanager
async def serving(gateway: Gateway, ws: Any) -> AsyncIterator[Server]:
    server = uvicorn.Server(
        uvicorn.Config(
            gateway,
            host="127.0.0.1",
            port=0,
            ws=ws,
            ws_per_message_deflate=False,
            ws_max_size=262_144,
            lifespan="off",
            log_level="info",
            log_config=None,
        )
    )
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(5):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
    try:
        yield Server(server)
    finally:
        server.should_exit = True
        await task


async def say(socket: ClientConnection, type_: str, **fields: Any) -> None:
    await socket.send(json.dumps({"v": 1, "id": type_, "type": type_, **fields}))


async def until(socket: ClientConnection, type_: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            frame = json.loads(await socket.recv())
            if isinstance(frame, dict) and frame["type"] == type_:
                return frame


async def close_code(socket: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(10):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None  # noqa: PT017 - which exception is not the question
            return closed.rcvd.code, closed.rcvd.reason


async def hello(socket: ClientConnection, *threads: Any, compact: bool = False) -> None:
    positions = [{"threadId": str(thread), "since": 0} for thread in threads]
    await say(socket, "hello", protocolVersion="1.0", threads=positions, compact=compact)
    await until(socket, "caughtUp" if threads else "welcome")


@pytest.mark.parametrize("ws", SERVERS)
@pytest.mark.parametrize("compact", [True, False])
async def test_a_conversation_streams_to_several_sockets(
    desk: Any, reader: Any, text_events: Any, ws: Any, compact: bool
) -> None:
    thread = desk.conversation()
    desk.keep(thread, text_events.start("m"))
    async with desk.gateway() as gateway, serving(gateway, ws) as server:
        async with server.connect() as first, server.connect() as second:
            await hello(first, thread, compact=compact)
            await hello(second, thread)
            said = ""
            for number in range(300):
                piece = f"{number} ✓ " + "y" * (number % 200)
                said += piece
                desk.say(thread, text_events.delta("m", piece))
            desk.say(thread, text_events.end("m"))
            for socket in (first, second):
                client = reader()
                client.take(json.dumps(event(thread, "m")))
                async with asyncio.timeout(5):
                    while client.since(thread) < 302:
                        client.take(await socket.recv())
                assert client.transcript(thread) == {"m": said}
                assert client.seqs(thread) == list(range(1, 303))
        async with asyncio.timeout(5):
            while len(gateway) or len(desk.hub):  # noqa: ASYNC110 - counters, no event
                await asyncio.sleep(0.005)


def event(thread: Any, message_id: str) -> dict[str, Any]:
    """Return the frame that `hello` has already read."""
    return {
        "type": "event",
        "threadId": str(thread),
        "seq": 1,
        "event": {
            "type": "TEXT_MESSAGE_START",
            "messageId": message_id,
            "metadata": {"outcry": {"seq": 1}},
        },
    }


@pytest.mark.parametrize("ws", SERVERS)
async def test_a_client_that_stops_reading_is_closed_and_others_are_not_held_up(
    desk: Any, text_events: Any, ws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.asgi_wire._CLOSING_S", 0.1)
    thread = desk.conversation()
    async with desk.gateway() as gateway, serving(gateway, ws) as server:
        async with server.connect(max_queue=1) as slow, server.connect(max_queue=None) as quick:
            await hello(slow, thread)
            await hello(quick, thread)
            total = 0
            # Kernel buffers take some megabytes before anything waits with us.
            async with asyncio.timeout(30):
                while len(gateway) == 2:
                    desk.say(thread, text_events.delta("m", BIG))
                    total += 1
                    frame = json.loads(await quick.recv())
                    assert frame["seq"] == total
            seen = 0
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - until it ends
                while True:
                    seen = json.loads(await slow.recv())["seq"]
            told = closed.value.rcvd
            # Plain ASGI may have to cut the line: its close frame stands behind the stuck bytes.
            assert told is not None or ws is not DirectWire
            assert told is None or (told.code, told.reason) == (4408, "slow")
            assert 0 < seen < total
            # What it was sent was whole and in order; the rest it gets by resuming.
            desk.say(thread, text_events.delta("m", "still here"))
            assert json.loads(await quick.recv())["seq"] == total + 1


async def test_a_client_that_never_reads_again_is_cut_off(
    desk: Any, text_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.direct_wire._CLOSING_S", 0.05)
    thread = desk.conversation()
    async with (
        desk.gateway() as gateway,
        serving(gateway, DirectWire) as server,
        server.connect(max_queue=1) as slow,
    ):
        await hello(slow, thread)
        async with asyncio.timeout(30):
            while len(gateway):
                desk.say(thread, text_events.delta("m", BIG))
                await asyncio.sleep(0)
            while server.uvicorn.server_state.connections:  # noqa: ASYNC110 - a set, no event
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("ws", SERVERS)
@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": None}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Origin": "http://evil.example"}, "", 403),
        ({"Authorization": None, "Cookie": "outcry_session=mine"}, "", 403),
        ({}, "?token=very-secret", 401),
    ],
)
async def test_a_refused_handshake_is_an_http_answer_that_tells_no_secret(
    desk: Any,
    ws: Any,
    headers: dict[str, str],
    query: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with desk.gateway() as gateway, serving(gateway, ws) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect(headers=headers, query=query):
                pass
        assert refused.value.response.status_code == status
        assert refused.value.response.headers["Content-Type"] == "application/problem+json"
        assert json.loads(refused.value.response.body or b"")["status"] == status
    assert "very-secret" not in caplog.text
    if ws is DirectWire:
        assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_page_of_ours_connects_with_its_cookie(desk: Any) -> None:
    async with desk.gateway() as gateway, serving(gateway, DirectWire) as server:
        headers = {"Authorization": None, "Cookie": "outcry_session=mine"}
        origin = f"http://127.0.0.1:{server.port}"
        async with server.connect(headers=headers, origin=origin) as socket:
            await hello(socket)


@pytest.mark.parametrize("ws", SERVERS)
async def test_a_frame_over_the_limit_is_closed_as_too_big(desk: Any, ws: Any) -> None:
    async with desk.gateway() as gateway, serving(gateway, ws) as server:
        async with server.connect() as socket:
            await hello(socket)
            await socket.send("x" * 262_145)
            assert (await close_code(socket))[0] == 1009


async def test_text_that_is_no_utf8_ends_only_its_socket_and_quietly(
    desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk.gateway() as gateway, serving(gateway, DirectWire) as server:
        async with server.connect() as other, server.connect() as socket:
            await hello(other)
            await hello(socket)
            await socket.send(b'{"v":1,"id":"\xff"}', text=True)
            assert await close_code(socket) == (1007, "not UTF-8")
            await say(other, "ping")
            await until(other, "pong")
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_message_in_many_fragments_is_one_command(desk: Any) -> None:
    async with desk.gateway() as gateway, serving(gateway, DirectWire) as server:
        async with server.connect() as socket:
            await hello(socket)
            await socket.send(list('{"v":1,"id":"p","type":"ping"}'))
            assert (await until(socket, "pong"))["id"] == "p"


async def test_a_flood_of_pings_is_closed_as_too_fast(desk: Any) -> None:
    async with desk.gateway() as gateway, serving(gateway, DirectWire) as server:
        async with server.connect() as socket:
            await hello(socket)
            ping = Frame(Opcode.PING, b"!").serialize(mask=True)
            socket.transport.write(ping * 200)
            assert await close_code(socket) == (4429, "too many pings")


@pytest.mark.parametrize("ws", SERVERS)
async def test_a_stopping_server_tells_its_clients_to_come_back(desk: Any, ws: Any) -> None:
    async with desk.gateway() as gateway:
        async with serving(gateway, ws) as server:
            socket = await server.connect()
            await hello(socket)
        code, reason = await close_code(socket)
        assert code == 1012
        if ws is DirectWire:
            assert reason == "restarting"
        assert len(gateway) == 0


@pytest.mark.parametrize("ws", SERVERS)
async def test_a_client_that_vanishes_leaves_nothing_behind(
    desk: Any, text_events: Any, ws: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway, serving(gateway, ws) as server:
        socket = await server.connect()
        await hello(socket, thread)
        assert (len(gateway), len(desk.hub)) == (1, 1)
        socket.transport.abort()
        desk.say(thread, text_events.delta("m", "into the void"))
        async with asyncio.timeout(5):
            while len(gateway) or len(desk.hub):
                desk.say(thread, text_events.delta("m", "and again"))
                await asyncio.sleep(0.005)


async def test_a_permessage_deflate_offer_is_not_taken(desk: Any) -> None:
    async with desk.gateway() as gateway, serving(gateway, DirectWire) as server:
        async with server.connect(compression="deflate") as socket:
            await hello(socket)
            assert socket.protocol.extensions == []
