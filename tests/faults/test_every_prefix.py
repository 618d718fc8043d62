"""Cut the line after every event of an answer in turn: the resumed whole is always the same."""

import pytest

from tests.faults.client import Frame, Wire, is_end
from tests.faults.history import content_of
from tests.faults.server import Server

QUESTION = "prefix: script=steady tokens=12 ms=8"


async def journal(desk: Server, key: str, thread_id: str, *, since: int = 0) -> list[Frame]:
    """Return the stored events after `since` as a fresh client is shown them."""
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.command("subscribe", threadId=thread_id, since=since)
        _, frames = await wire.until(lambda f: f["type"] == "caughtUp")
        return [frame for frame in frames if frame["type"] == "event"]


def said(frames: list[Frame]) -> list[tuple[int, str]]:
    return [(frame["seq"], content_of(frame["event"])) for frame in frames]


@pytest.mark.parametrize("compact", [False, True], ids=["plain", "compact"])
async def test_a_line_cut_after_any_event_resumes_to_the_identical_whole(
    desk: Server, key: str, compact: bool
) -> None:
    cut_after = 0
    ended = False
    while not ended:
        seen: list[Frame] = []
        async with Wire.open(desk.port, key=key) as wire:
            await wire.hello(compact=compact)
            command = await wire.run(QUESTION)
            thread_id = command["input"]["threadId"]
            assert (await wire.reply_to(command["id"]))["ok"]
            while len(seen) < cut_after and not ended:
                frame = await wire.receive()
                if frame["type"] == "event":
                    seen.append(frame)
                    ended = is_end(frame["event"])
            wire.drop()

        since = seen[-1]["seq"] if seen else 0
        async with Wire.open(desk.port, key=key) as wire:
            await wire.hello(compact=compact, threads=[{"threadId": thread_id, "since": since}])
            if not ended:
                _, frames = await wire.until(lambda f: f["type"] == "event" and is_end(f["event"]))
                seen += [frame for frame in frames if frame["type"] == "event"]
            else:
                _, frames = await wire.until(lambda f: f["type"] == "caughtUp")
                assert [frame["type"] for frame in frames] == ["caughtUp"]

        assert [frame["seq"] for frame in seen] == list(range(1, len(seen) + 1))
        assert said(seen) == said(await journal(desk, key, thread_id)), f"cut after {cut_after}"
        cut_after += 1
    assert cut_after > 8, "an answer of twelve slow tokens has more events than that"


@pytest.mark.parametrize("compact", [False, True], ids=["plain", "compact"])
async def test_every_since_of_a_finished_answer_gives_exactly_the_rest(
    desk: Server, key: str, compact: bool
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello(compact=compact)
        answer = await wire.ask(QUESTION)
        whole = said(answer.frames)
        assert whole == said(await journal(desk, key, answer.thread_id))

        for since in range(len(whole) + 1):
            await wire.command("unsubscribe", threadId=answer.thread_id)
            await wire.command("subscribe", threadId=answer.thread_id, since=since)
            caught_up, frames = await wire.until(lambda f: f["type"] == "caughtUp")

            rest = [frame for frame in frames if frame["type"] == "event"]
            assert said(rest) == whole[since:]
            assert caught_up["seq"] == len(whole)


async def test_a_second_socket_that_joins_late_sees_the_same_as_the_first(
    desk: Server, key: str
) -> None:
    async with (
        Wire.open(desk.port, key=key) as first,
        Wire.open(desk.port, key=key) as second,
    ):
        await first.hello(compact=True)
        await second.hello(compact=False)
        command = await first.run("join late: script=steady tokens=30 ms=8")
        thread_id = command["input"]["threadId"]
        await first.reply_to(command["id"])
        _, before = await first.until(
            lambda f: f["type"] == "event" and f["event"]["type"] == "TEXT_MESSAGE_CONTENT"
        )
        await second.command("subscribe", threadId=thread_id, since=0)

        _, after = await first.until(lambda f: f["type"] == "event" and is_end(f["event"]))
        _, joined = await second.until(lambda f: f["type"] == "event" and is_end(f["event"]))

    events = [frame for frame in before + after if frame["type"] == "event"]
    assert said([frame for frame in joined if frame["type"] == "event"]) == said(events)


@pytest.mark.parametrize("since", [10_000, 2**53 - 1])
async def test_a_position_from_the_future_is_caught_up_at_the_true_head_and_shows_nothing_old(
    desk: Server, key: str, since: int
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        answer = await wire.ask("short: script=steady tokens=2 ms=1")
        await wire.command("unsubscribe", threadId=answer.thread_id)
        await wire.command("subscribe", threadId=answer.thread_id, since=since)
        frame, frames = await wire.until(lambda f: f["type"] in ("caughtUp", "gap"))

    assert not [f for f in frames if f["type"] == "event"]
    if frame["type"] == "caughtUp":
        assert frame["seq"] == answer.frames[-1]["seq"]


@pytest.mark.parametrize("since", [-1, 2**64, 1.5, "1", None])
async def test_a_position_that_is_none_is_refused_and_the_socket_stays(
    desk: Server, key: str, since: object
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        answer = await wire.ask("short: script=steady tokens=2 ms=1")
        command = await wire.command("subscribe", threadId=answer.thread_id, since=since)
        refusal = await wire.reply_to(command)
        assert refusal["type"] == "error" or refusal["ok"] is False

        ping = await wire.command("ping")
        pong, _ = await wire.until(lambda f: f["type"] == "pong")
        assert pong["id"] == ping
