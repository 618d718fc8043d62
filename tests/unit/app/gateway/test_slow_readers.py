"""Nobody waits for a client that does not read, and it loses nothing but its socket."""

from typing import Any

import pytest

from app.gateway.asgi_wire import AsgiWire
from app.gateway.outbox import MAX_UNSENT_BYTES, Outbox
from app.protocol.close_codes import CloseCode

BIG = "x" * 10_000


async def test_a_client_that_does_not_read_is_closed_as_slow_while_others_go_on(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        slow, quick = connect(gateway), connect(gateway)
        for socket in (slow, quick):
            socket.hello((thread, 0))
            await socket.frame(type="caughtUp")
        slow.reading.clear()
        total = MAX_UNSENT_BYTES // len(BIG) + 20
        for number in range(1, total + 1):
            desk.say(thread, text_events.delta("m", BIG))
            await quick.frame(type="event", seq=number)
        assert slow.closed is None, "the close frame waits behind what is stuck"
        slow.reading.set()
        assert await slow.until_closed() == (CloseCode.TOO_SLOW, "slow")
        assert reader().take_all(quick).seqs(thread) == list(range(1, total + 1))

        # It resumes from what it saw, and nothing is missing.
        client = reader().take_all(slow)
        again = connect(gateway)
        client.new_socket()
        again.hello((thread, client.since(thread)))
        await again.frame(type="caughtUp", seq=total)
        assert client.take_all(again).events == reader().take_all(quick).events
        await again.leave()
        await quick.leave()


async def test_a_client_that_never_takes_the_close_frame_is_let_go(
    desk: Any, connect: Any, text_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.asgi_wire._CLOSING_S", 0.01)
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        stuck = connect(gateway)
        stuck.hello((thread, 0))
        await stuck.frame(type="caughtUp")
        stuck.reading.clear()
        for _ in range(MAX_UNSENT_BYTES // len(BIG) + 2):
            desk.say(thread, text_events.delta("m", BIG))
        await stuck.ended.wait()
        assert stuck.closed is None
        assert (len(gateway), len(desk.hub)) == (0, 0)


async def test_a_long_replay_is_paced_instead_of_closing_the_socket(
    desk: Any, connect: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    total = 3 * MAX_UNSENT_BYTES // len(BIG)
    desk.keep(thread, *(text_events.delta("m", BIG) for _ in range(total)))
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="caughtUp", seq=total)
        assert len([f for f in socket.frames() if f["type"] == "event"]) == total
        await socket.leave()


class CountingWire:
    """A wire that takes nothing."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: list[tuple[int, str, bool]] = []

    def write(self, frame: bytes) -> None:
        self.frames.append(frame)

    def unsent(self) -> int:
        return sum(map(len, self.frames))

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        self.closed.append((code, reason, drop))

    async def wait_for_room(self) -> None:
        raise AssertionError("an outbox never waits by itself")


def test_an_outbox_holds_up_to_its_limit_and_then_closes_once() -> None:
    wire = CountingWire()
    outbox = Outbox(wire, limit=100)
    for _ in range(10):
        outbox.offer(b"0123456789")
    assert wire.closed == []
    for _ in range(3):
        outbox.offer(b"x")
    assert wire.closed == [(CloseCode.TOO_SLOW, "slow", True)]
    assert len(wire.frames) == 10


def test_one_frame_over_the_limit_is_sent_when_nothing_is_in_its_way() -> None:
    wire = CountingWire()
    outbox = Outbox(wire, limit=10)
    outbox.offer(b"x" * 50)
    assert (len(wire.frames), wire.closed) == (1, [])
    outbox.offer(b"x")
    assert wire.closed == [(CloseCode.TOO_SLOW, "slow", True)]


async def test_closing_sends_what_was_offered_before_and_nothing_after() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    wire = AsgiWire(send)
    outbox = Outbox(wire)
    outbox.offer(b"first")
    outbox.close(CloseCode.BAD_CLIENT, "enough")
    outbox.offer(b"late")
    outbox.close(CloseCode.TOO_FAST, "again")
    await wire.drain()
    assert sent == [
        {"type": "websocket.send", "text": "first"},
        {"type": "websocket.close", "code": 4400, "reason": "enough"},
    ]
    await wire.wait_for_room()
    assert wire.unsent() == 0
