"""Every client gets every event once and in order, wherever it was cut off."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain.errors import Unavailable

PIECES = ["GOOG ", "closed", " at ", "806.19", ".", " \u2028\u202e✓ ", '"quoted" \\ \n', "🙂"]


async def test_a_cut_after_any_frame_resumes_to_the_same_transcript(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    desk.keep(thread, text_events.start("m1"))
    desk.keep(thread, *(text_events.delta("m1", piece) for piece in PIECES))
    desk.keep(thread, text_events.end("m1"), text_events.start("m2"))
    desk.keep(thread, text_events.delta("m2", "Second."), text_events.end("m2"))
    head = len(desk.journal[thread])
    async with desk.gateway() as gateway:
        whole = connect(gateway)
        whole.hello((thread, 0))
        await whole.frame(type="caughtUp", seq=head)
        expected = reader().take_all(whole)
        events = [text for text in whole.sent if '"type":"event"' in text]
        for compact in (False, True):
            for cut in range(head + 1):
                client = reader()
                first = connect(gateway)
                first.hello((thread, 0), compact=compact)
                await first.frame(type="caughtUp")
                kept = [text for text in first.sent if '"type":"event"' in text or text[0] == "["]
                for text in kept[:cut]:
                    client.take(text)
                await first.leave()

                client.new_socket()
                second = connect(gateway)
                second.hello((thread, client.since(thread)), compact=compact)
                await second.frame(type="caughtUp", seq=head)
                client.take_all(second)
                assert client.events == expected.events
                if not compact:
                    resumed = [text for text in second.sent if '"type":"event"' in text]
                    assert kept[:cut] + resumed == events, "live and replayed bytes must not differ"
                await second.leave()
        await whole.leave()
        assert len(desk.hub) == 0


@pytest.mark.parametrize("seed", range(5))
async def test_sockets_that_come_and_go_while_it_streams_end_with_the_same_events(
    desk: Any, connect: Any, reader: Any, text_events: Any, seed: int
) -> None:
    chance = random.Random(seed)
    thread = desk.conversation()
    desk.keep(thread, text_events.start("m"))
    total = 400
    async with desk.gateway() as gateway:

        async def speak() -> None:
            for number in range(0, total, 5):
                desk.say(
                    thread, *(text_events.delta("m", f"{n} ") for n in range(number, number + 5))
                )
                await asyncio.sleep(0)
                if chance.random() < 0.2:
                    await asyncio.sleep(0.001)
            desk.say(thread, text_events.end("m"))

        async def follow(compact: bool) -> Any:
            client = reader()
            done = total + 2
            last = f'"seq":{done}'
            while True:
                client.new_socket()
                socket = connect(gateway)
                socket.hello((thread, client.since(thread)), compact=compact)
                for _ in range(chance.randrange(1, 30)):
                    await asyncio.sleep(0)
                if client.since(thread) > done * chance.random():
                    await socket.until(lambda s=socket: any(last in t for t in s.sent))
                await socket.leave()
                client.take_all(socket)
                if client.since(thread) == done:
                    return client

        clients = await asyncio.gather(follow(True), follow(False), follow(True), speak())
    for client in clients[:3]:
        assert client.seqs(thread) == list(range(1, total + 3))
        assert client.events == clients[0].events
    assert clients[0].transcript(thread) == {"m": "".join(f"{n} " for n in range(total))}


async def test_live_events_during_a_replay_come_after_it_without_holes(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    desk.keep(thread, text_events.start("m"), text_events.delta("m", "old "))
    desk.read_gate = asyncio.Event()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="welcome")
        await desk.reading.wait()
        # More than a follower keeps while it is behind: the rest comes from the journal.
        for number in range(700):
            desk.say(thread, text_events.delta("m", f"{number} "))
        desk.read_gate.set()
        await socket.frame(type="caughtUp", seq=702)
        desk.say(thread, text_events.end("m"))
        await socket.frame(seq=703)
        assert reader().take_all(socket).seqs(thread) == list(range(1, 704))
        await socket.leave()


async def test_a_hole_between_live_events_is_filled_from_the_journal(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0), compact=True)
        await socket.frame(type="caughtUp", seq=0)
        desk.say(thread, text_events.start("m"))
        desk.keep(thread, text_events.delta("m", "another process "))
        desk.say(thread, text_events.delta("m", "wrote this"), text_events.end("m"))
        await socket.frame(seq=4)
        client = reader().take_all(socket)
        assert client.seqs(thread) == [1, 2, 3, 4]
        assert client.transcript(thread) == {"m": "another process wrote this"}
        await socket.leave()


async def test_a_wake_up_from_another_process_brings_its_events(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="caughtUp", seq=0)
        kept = desk.keep(thread, text_events.start("m"), text_events.delta("m", "hi"))
        desk.hub.wake(thread, 2)
        await socket.frame(seq=2)
        desk.hub.wake(thread, 2)
        desk.hub.publish(kept)
        desk.say(thread, text_events.end("m"))
        await socket.frame(seq=3)
        assert reader().take_all(socket).seqs(thread) == [1, 2, 3]
        assert len([f for f in socket.frames() if f["type"] == "caughtUp"]) == 1
        await socket.leave()


async def test_two_conversations_interleaved_on_one_compact_socket_decode_apart(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    chance = random.Random(7)
    threads = [desk.conversation(), desk.conversation()]
    said: dict[UUID, str] = {thread: "" for thread in threads}
    async with desk.gateway() as gateway:
        compact, plain = connect(gateway), connect(gateway)
        compact.hello(*((thread, 0) for thread in threads), compact=True)
        plain.hello(*((thread, 0) for thread in threads))
        for socket in (compact, plain):
            await socket.until(
                lambda s=socket: [f["type"] for f in s.frames()].count("caughtUp") == 2
            )
        for thread in threads:
            # The same message id in both: an array must still never need one.
            desk.say(thread, text_events.start("m"))
        for number in range(200):
            thread = chance.choice(threads)
            piece = f"{number} "
            said[thread] += piece
            desk.say(thread, text_events.delta("m", piece))
            if chance.random() < 0.1:
                compact.say("ping")
                await asyncio.sleep(0)
        for socket in (compact, plain):
            await socket.until(
                lambda s=socket: (
                    sum(isinstance(f, list) or f["type"] == "event" for f in s.frames()) == 202
                )
            )
        decoded, whole = reader().take_all(compact), reader().take_all(plain)
        assert decoded.events == whole.events
        assert {thread: decoded.transcript(thread)["m"] for thread in threads} == said
        arrays = [frame for frame in compact.frames() if isinstance(frame, list)]
        assert 0 < len(arrays) < 200, "some continue the frame before, some cannot"
        await compact.leave()
        await plain.leave()


@pytest.mark.parametrize("since", [0, 2, 9, 10_000, 2**53 - 1])
async def test_a_position_the_journal_cannot_continue_is_a_gap(
    desk: Any, connect: Any, text_events: Any, since: int
) -> None:
    thread = desk.conversation()
    desk.keep(thread, *(text_events.delta("m", str(n)) for n in range(8)))
    del desk.journal[thread][:3]  # 4 to 8 are kept
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, since))
        gap = await socket.frame(type="gap")
        assert gap == {"type": "gap", "threadId": str(thread), "oldestSeq": 4, "newestSeq": 8}
        desk.say(thread, text_events.delta("m", "later"))
        socket.say("subscribe", command_id="again", threadId=str(thread), since=8)
        await socket.frame(type="caughtUp", seq=9)
        assert [f["seq"] for f in socket.frames() if f["type"] == "event"] == [9]
        await socket.leave()


@pytest.mark.parametrize("since", [3, 8])
async def test_a_position_the_journal_just_continues_is_no_gap(
    desk: Any, connect: Any, text_events: Any, since: int
) -> None:
    thread = desk.conversation()
    desk.keep(thread, *(text_events.delta("m", str(n)) for n in range(8)))
    del desk.journal[thread][:3]
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, since))
        await socket.frame(type="caughtUp", seq=8)
        assert [f["seq"] for f in socket.frames() if f["type"] == "event"] == list(
            range(since + 1, 9)
        )
        await socket.leave()


async def test_a_foreign_conversation_reads_like_an_unknown_one(
    desk: Any, connect: Any, text_events: Any
) -> None:
    foreign, unknown, mine = desk.conversation(desk.other), uuid4(), desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        hello = socket.hello((foreign, 0), (unknown, 0), (mine, 0))
        await socket.frame(type="caughtUp", threadId=str(mine))
        errors = [f for f in socket.frames() if f["type"] == "error"]
        assert [e.pop("threadId") for e in errors] == [str(foreign), str(unknown)]
        assert (
            errors[0]
            == errors[1]
            == {
                "type": "error",
                "code": "not_found",
                "message": "There is no such conversation.",
                "ref": hello,
            }
        )
        replies = []
        for number, thread in enumerate((foreign, unknown)):
            socket.say("subscribe", command_id=f"s{number}", threadId=str(thread), since=0)
            replies.append(await socket.frame(type="reply", id=f"s{number}"))
        assert replies[0]["error"] == replies[1]["error"]
        desk.say(foreign, text_events.delta("m", "secret"))
        socket.say("ping", command_id="last")
        await socket.frame(type="pong", id="last")
        assert not any("secret" in text for text in socket.sent)
        await socket.leave()


async def test_unsubscribe_ends_the_events_and_subscribe_brings_them_back(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="caughtUp")
        socket.say("unsubscribe", command_id="u", threadId=str(thread))
        await socket.frame(type="reply", id="u", ok=True)
        desk.say(thread, text_events.delta("m", "unheard"))
        socket.say("subscribe", command_id="s", threadId=str(thread), since=0)
        await socket.frame(type="caughtUp", seq=1)
        assert reader().take_all(socket).seqs(thread) == [1]
        socket.say("subscribe", command_id="s2", threadId=str(thread), since=0)
        await socket.until(lambda: [f["type"] for f in socket.frames()].count("caughtUp") == 3)
        assert reader().take_all(socket).seqs(thread) == [1, 1], "from where it was asked"
        await socket.leave()


async def test_a_replay_waits_out_a_database_that_is_away(
    desk: Any, connect: Any, text_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = desk.conversation()
    desk.keep(thread, text_events.delta("m", "kept"))
    read, failures = desk.read, [Unavailable("gone"), Unavailable("still gone")]

    async def flaky(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(*args, **kwargs)

    monkeypatch.setattr(desk, "read", flaky)
    monkeypatch.setattr("app.gateway.catch_up._FIRST_PAUSE_S", 0.001)
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="caughtUp", seq=1)
        await socket.leave()
