"""Prices and notices reach who asked for them, and nobody ever waits for a slow reader of them."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from app.gateway.asgi_wire import AsgiWire
from app.gateway.lane import MAX_NOTICES, MAX_SIGNALS, Lane, Shown
from app.gateway.outbox import EPHEMERAL_ROOM_BYTES, MAX_UNSENT_BYTES, Outbox
from app.protocol.close_codes import CloseCode
from app.protocol.frames import LiveBar, MarketFrame, NoticeFrame

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)


def price(
    close: float,
    symbol: str = "GOOG",
    timeframe: str = "1d",
    *,
    signals: tuple[Any, ...] = (),
    padding: int = 0,
) -> MarketFrame:
    return MarketFrame(
        symbol=symbol,
        timeframe=timeframe,
        bar=LiveBar(NOON, close, close, close, close, 0.0),
        indicators={"rsi": None, "x" * padding: 1.0} if padding else {"rsi": None},
        signals=signals,
        provisional=False,
    )


def notice(title: str) -> NoticeFrame:
    return NoticeFrame(kind="alert", title=title, thread_id=uuid4(), alert_id=uuid4(), at=NOON)


def closes(socket: Any, symbol: str = "GOOG") -> list[float]:
    return [
        frame["bar"]["close"]
        for frame in socket.frames()
        if frame["type"] == "market" and frame["symbol"] == symbol
    ]


def events_of(reader: Any, socket: Any) -> Any:
    """Return a client that has read the conversation's frames of `socket`."""
    client = reader()
    for text in socket.sent:
        if json.loads(text)["type"] == "event":
            client.take(text)
    return client


async def test_a_watched_price_arrives_and_others_do_not(desk: Any, connect: Any) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("watch", command_id="w", symbols=["GOOG", "IBM"], timeframe="1d")
        reply = await socket.frame(type="reply", id="w")
        assert reply["result"] == {"symbols": ["GOOG", "IBM"], "timeframe": "1d", "watching": 2}
        assert desk.wanted == [("GOOG", "1d"), ("IBM", "1d")]
        desk.market.publish(price(1.0, "MSFT"))
        desk.market.publish(price(1.0, timeframe="1m"))
        desk.market.publish(price(806.0, signals=({"type": "breakout"},)))
        frame = await socket.frame(type="market")
        assert frame["symbol"] == "GOOG"
        assert frame["bar"]["close"] == 806.0
        assert frame["signals"] == [{"type": "breakout"}]
        assert len([f for f in socket.frames() if f["type"] == "market"]) == 1
        await socket.leave()
    assert len(desk.market) == 0
    assert desk.market.watched() == []


async def test_who_comes_later_gets_the_newest_price_at_once_without_its_old_signals(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        first, second = connect(gateway), connect(gateway)
        for socket in (first, second):
            socket.hello()
        first.say("watch", symbols=["GOOG"], timeframe="1d")
        await first.frame(type="reply")
        desk.market.publish(price(1.0))
        desk.market.publish(price(2.0, signals=({"type": "entry"},)))
        second.say("watch", symbols=["GOOG"], timeframe="1d")
        frame = await second.frame(type="market")
        assert (frame["bar"]["close"], frame["signals"]) == (2.0, [])
        assert desk.wanted == [("GOOG", "1d")], "it is known already"
        kinds = [f["type"] for f in second.frames()]
        assert kinds == ["welcome", "reply", "market"], "the reply comes first"
        await first.leave()
        await second.leave()


async def test_unwatch_ends_a_price_and_watching_again_brings_it_back(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("watch", symbols=["GOOG", "IBM"], timeframe="1d")
        socket.say("unwatch", command_id="u", symbols=["GOOG", "AAPL"], timeframe="1d")
        reply = await socket.frame(type="reply", id="u")
        assert reply["result"] == {"symbols": ["GOOG"], "timeframe": "1d", "watching": 1}
        desk.market.publish(price(1.0))
        socket.say("watch", command_id="again", symbols=["GOOG"], timeframe="1d")
        await socket.frame(type="reply", id="again")
        desk.market.publish(price(2.0))
        await socket.frame(type="market")
        assert closes(socket) == [2.0]
        await socket.leave()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbols": ["GOOG", "NOPE"], "timeframe": "1d"}, "unknown_symbol"),
        ({"symbols": ["GOOG"], "timeframe": "2d"}, "unknown_timeframe"),
    ],
)
async def test_a_watch_that_cannot_be_is_refused_whole(
    desk: Any, connect: Any, fields: Any, code: str
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("watch", command_id="w", **fields)
        refused = await socket.frame(type="reply", id="w", ok=False)
        assert refused["error"]["code"] == code
        assert len(desk.market) == 0
        many = [f"S{number}" for number in range(50)]
        socket.say("watch", command_id="all", symbols=many, timeframe="1d")
        reply = await socket.frame(type="reply", id="all")
        assert reply["result"]["watching"] == 50, "what was refused does not count"
        await socket.leave()


@pytest.mark.parametrize("symbols", [[], ["S"] * 51, [""], [1], "GOOG", None])
async def test_symbols_that_are_none_are_a_bad_frame(
    desk: Any, connect: Any, symbols: object
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("watch", command_id="w", symbols=symbols, timeframe="1d")
        error = await socket.frame(type="error")
        assert (error["code"], error["ref"]) == ("invalid", "w")
        await socket.leave()


async def test_a_notice_reaches_every_socket_of_its_person_and_no_other(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        phone, laptop = connect(gateway), connect(gateway)
        stranger = connect(
            gateway, headers=[(b"authorization", b"Bearer their-key"), (b"host", b"desk")]
        )
        for socket in (phone, laptop, stranger):
            socket.hello()
            await socket.frame(type="welcome")
        desk.notices.notify(desk.me.user_id, notice("RSI over 70"))
        for socket in (phone, laptop):
            assert (await socket.frame(type="notice"))["title"] == "RSI over 70"
        stranger.say("ping")
        await stranger.frame(type="pong")
        assert not any("RSI" in text for text in stranger.sent)
        for socket in (phone, laptop, stranger):
            await socket.leave()
    assert len(desk.notices) == 0


async def test_a_socket_that_only_sees_prices_is_closed_when_its_credential_is_revoked(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway(recheck_s=0.01) as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("watch", symbols=["GOOG"], timeframe="1d")
        await socket.frame(type="reply")
        desk.revoked.add(desk.me.credential_id)
        desk.market.publish(price(1.0))
        assert (await socket.until_closed())[0] == CloseCode.NOT_SIGNED_IN


async def test_a_client_that_does_not_read_gets_the_newest_of_each_price_and_all_its_signals(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        slow, quick = connect(gateway), connect(gateway)
        for socket in (slow, quick):
            socket.hello()
            socket.say("watch", symbols=["GOOG", "IBM"], timeframe="1d")
            await socket.frame(type="reply")
        slow.reading.clear()
        total = 2 * MAX_UNSENT_BYTES // 10_000
        for number in range(1, total + 1):
            fired = ({"n": number},) if number in (total - 5, total - 3) else ()
            desk.market.publish(price(float(number), signals=fired, padding=10_000))
            desk.market.publish(price(float(-number), "IBM", padding=10_000))
            await quick.until(lambda n=number: f'"close":-{n}.0,' in quick.sent[-1])
        assert slow.closed is None
        desk.notices.notify(desk.me.user_id, notice("late"))
        slow.reading.set()
        await slow.until(lambda: closes(slow, "IBM")[-1:] == [float(-total)])
        assert closes(slow)[-1] == total
        assert len(closes(slow)) < total / 2, "what is not new any more is left out"
        assert closes(slow) == sorted(closes(slow))
        last = [f for f in slow.frames() if f["type"] == "market" and f["symbol"] == "GOOG"][-1]
        assert last["signals"] == [{"n": total - 5}, {"n": total - 3}]
        await slow.frame(type="notice", title="late")
        slow.say("ping")
        await slow.frame(type="pong")
        await slow.leave()
        await quick.leave()


async def test_prices_wait_behind_a_conversation_and_never_close_its_socket(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        socket.say("watch", symbols=["GOOG"], timeframe="1d")
        await socket.frame(type="caughtUp")
        await socket.frame(type="reply")
        socket.reading.clear()
        # Close to the limit, all by the conversation.
        piece = "x" * 10_000
        for _ in range(100):
            desk.say(thread, text_events.delta("m", piece))
        for number in range(1000):
            desk.market.publish(price(float(number), padding=1000))
            desk.notices.notify(desk.me.user_id, notice(str(number)))
            if number % 100 == 0:
                await asyncio.sleep(0)
        desk.say(thread, text_events.end("m"))
        socket.reading.set()
        await socket.until(lambda: 999.0 in closes(socket))
        assert socket.closed is None
        assert events_of(reader, socket).seqs(thread) == list(range(1, 102))
        kinds = [frame["type"] for frame in socket.frames()]
        assert "market" not in kinds[: len(kinds) - 1 - kinds[::-1].index("event")]
        told = [f["title"] for f in socket.frames() if f["type"] == "notice"]
        assert told == [str(n) for n in range(1000 - MAX_NOTICES, 1000)]
        await socket.leave()


# --- the lane by itself -------------------------------------------------------------------------


class StuckWire(AsgiWire):
    """A wire whose network takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.open = asyncio.Event()
        self.taken: list[Any] = []

    async def _take(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        if message["type"] == "websocket.send":
            self.taken.append(json.loads(message["text"]))


async def test_a_lane_keeps_a_bounded_amount_whatever_comes() -> None:
    wire = StuckWire()
    lane = Lane(Outbox(wire), lambda: None)
    for number in range(5_000):
        for symbol in ("A", "B", "C"):
            signal = {"n": number, "text": "x" * 100}
            lane.show(Shown(price(float(number), symbol, signals=(signal,))))
    assert wire.unsent() < EPHEMERAL_ROOM_BYTES + 1_000
    wire.open.set()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(wire.drain())
        await lane.flush()
        wire.close(1000, "")
    newest = {frame["symbol"]: frame for frame in wire.taken}
    assert {frame["bar"]["close"] for frame in newest.values()} == {4999.0}
    for frame in newest.values():
        assert [signal["n"] for signal in frame["signals"]] == list(range(5000 - MAX_SIGNALS, 5000))


async def test_a_price_that_was_left_is_not_sent_any_more() -> None:
    wire = StuckWire()
    lane = Lane(Outbox(wire), lambda: None)
    while wire.unsent() <= EPHEMERAL_ROOM_BYTES:
        wire.write(b"x" * 1000)
    lane.show(Shown(price(1.0)))
    lane.forget("GOOG", "1d")
    before = wire.unsent()
    async with asyncio.timeout(1):
        await lane.flush()
    assert wire.unsent() == before
