"""A command sent again has no further effect and gets the same answer, however it comes again."""

import asyncio
from typing import Any

from tests.faults.client import Frame, Wire, is_end, run_command
from tests.faults.provider import Provider
from tests.faults.server import Server

QUESTION = "twice: script=steady tokens=5 ms=3"


async def stored(desk: Server, key: str, thread_id: str) -> list[Any]:
    """Return the stored messages of a conversation, newest first."""
    path = f"/api/v1/conversations/{thread_id}/messages"
    return await asyncio.to_thread(desk.pages, path, key=key)


def same_result(*replies: Frame) -> bool:
    """Tell whether replies name the same run and message (`created` may differ)."""
    return len({(r["ok"], r["result"]["runId"], r["result"]["messageId"]) for r in replies}) == 1


async def finish(wire: Wire, run_id: str) -> list[Frame]:
    _, frames = await wire.until(
        lambda f: f["type"] == "event" and f["runId"] == run_id and is_end(f["event"])
    )
    return frames


async def test_a_burst_of_the_same_command_on_one_socket_makes_one_run(
    desk: Server, key: str, provider: Provider
) -> None:
    command = run_command(QUESTION)
    run_id, thread_id = command["input"]["runId"], command["input"]["threadId"]
    asked_before = len(provider.requests)
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        for _ in range(5):
            await wire.send(command)
        frames = await finish(wire, run_id)
        await wire.send(command)
        late = await wire.reply_to(command["id"])

    replies = [f for f in frames if f["type"] == "reply"]
    assert replies
    assert same_result(*replies, late)
    assert [f["event"]["type"] for f in frames if f["type"] == "event"].count("RUN_STARTED") == 1
    assert [m["role"] for m in await stored(desk, key, thread_id)] == ["assistant", "user"]
    assert len(provider.requests) == asked_before + 1


async def test_the_same_command_on_two_sockets_at_once_makes_one_run(
    desk: Server, key: str
) -> None:
    command = run_command(QUESTION)
    thread_id = command["input"]["threadId"]
    async with Wire.open(desk.port, key=key) as one, Wire.open(desk.port, key=key) as two:
        await one.hello()
        await two.hello()
        await asyncio.gather(one.send(command), two.send(command))
        first, second = await asyncio.gather(
            one.reply_to(command["id"]), two.reply_to(command["id"])
        )
        assert same_result(first, second)
        assert sorted([first["result"]["created"], second["result"]["created"]]) == [False, True]
        await finish(one if first["result"]["created"] else two, command["input"]["runId"])

    assert [m["role"] for m in await stored(desk, key, thread_id)] == ["assistant", "user"]


async def test_the_same_command_after_a_reconnect_and_after_its_run_gets_the_same_answer(
    desk: Server, key: str
) -> None:
    command = run_command(QUESTION)
    thread_id = command["input"]["threadId"]
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        first = await wire.reply_to(command["id"])
        wire.drop()
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello(threads=[{"threadId": thread_id, "since": 0}])
        await wire.send(command)
        while_running = await wire.reply_to(command["id"])
        end, _ = await wire.until(lambda f: f["type"] == "event" and is_end(f["event"]))
        assert end["event"]["type"] == "RUN_FINISHED"
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        after = await wire.reply_to(command["id"])

    assert same_result(first, while_running, after)
    assert [m["role"] for m in await stored(desk, key, thread_id)] == ["assistant", "user"]


async def test_the_same_id_with_another_body_is_refused_and_stores_nothing(
    desk: Server, key: str
) -> None:
    command = run_command(QUESTION)
    thread_id = command["input"]["threadId"]
    other = run_command("something else", id=command["id"], thread_id=thread_id)
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        await wire.reply_to(command["id"])
        await finish(wire, command["input"]["runId"])
        await wire.send(other)
        on_the_same_socket = await wire.reply_to(command["id"])
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(other)
        on_another_socket = await wire.reply_to(command["id"])

    for refusal in (on_the_same_socket, on_another_socket):
        assert refusal["ok"] is False
        assert refusal["error"]["code"] == "idempotency_mismatch"
    assert [m["role"] for m in await stored(desk, key, thread_id)] == ["assistant", "user"]


async def test_the_same_message_id_under_another_command_id_does_not_store_it_twice(
    desk: Server, key: str
) -> None:
    command = run_command(QUESTION)
    sent = command["input"]
    again = run_command(
        QUESTION,
        thread_id=sent["threadId"],
        run_id=sent["runId"],
        message_id=sent["messages"][0]["id"],
    )
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        await wire.reply_to(command["id"])
        await finish(wire, sent["runId"])
        await wire.send(again)
        await wire.reply_to(again["id"])

    messages = await stored(desk, key, sent["threadId"])
    assert [m["role"] for m in messages] == ["assistant", "user"]


async def test_a_second_question_while_one_is_answered_is_refused_and_may_be_sent_again(
    desk: Server, key: str
) -> None:
    command = run_command("slow: script=steady tokens=20 ms=10")
    thread_id = command["input"]["threadId"]
    second = run_command(QUESTION, thread_id=thread_id)
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        await wire.reply_to(command["id"])
        await wire.send(second)
        refusal = await wire.reply_to(second["id"])
        await finish(wire, command["input"]["runId"])
        await wire.send(second)
        accepted = await wire.reply_to(second["id"])
        await finish(wire, second["input"]["runId"])

    assert (refusal["ok"], refusal["error"]["code"]) == (False, "run_active")
    assert accepted["ok"] is True
    roles = [message["role"] for message in await stored(desk, key, thread_id)]
    assert roles == ["assistant", "user", "assistant", "user"]


async def test_a_command_of_one_user_is_no_answer_for_another(
    desk: Server, key: str, other_key: str
) -> None:
    command = run_command(QUESTION)
    mine = run_command(QUESTION, id=command["id"])
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(command)
        first = await wire.reply_to(command["id"])
    async with Wire.open(desk.port, key=other_key) as wire:
        await wire.hello()
        await wire.send(mine)
        second = await wire.reply_to(command["id"])

    assert first["result"]["runId"] == command["input"]["runId"]
    assert second["result"]["runId"] == mine["input"]["runId"]
