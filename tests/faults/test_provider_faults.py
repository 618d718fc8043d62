"""A provider that fails, through the whole product: what the user keeps, is told and pays."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.client import Answer, Frame, Wire, is_end
from tests.faults.provider import Provider, answer_text
from tests.faults.server import Response, Server


async def ask(desk: Server, key: str, text: str) -> Answer:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        return await wire.ask(text)


async def receipt_of(desk: Server, key: str, run_id: str) -> Response:
    return await asyncio.to_thread(desk.request, "GET", f"/api/v1/runs/{run_id}/receipt", key=key)


async def messages_of(desk: Server, key: str, thread_id: str) -> list[Any]:
    path = f"/api/v1/conversations/{thread_id}/messages"
    return await asyncio.to_thread(desk.pages, path, key=key)


def types_of(answer: Answer) -> list[str]:
    return [event["type"] for event in answer.events]


def assert_well_formed(answer: Answer) -> None:
    """Assert that whatever was opened was closed, and the end came last and once."""
    types = types_of(answer)
    assert types[0] == "RUN_STARTED"
    assert types.count("RUN_FINISHED") + types.count("RUN_ERROR") == 1
    assert types.count("TEXT_MESSAGE_START") == types.count("TEXT_MESSAGE_END")
    assert types.count("STEP_STARTED") == types.count("STEP_FINISHED")


async def test_a_stream_that_ends_well_is_told_priced_and_stored(desk: Server, key: str) -> None:
    answer = await ask(desk, key, "well: script=steady tokens=25 ms=2")
    stored = await messages_of(desk, key, answer.thread_id)

    assert_well_formed(answer)
    assert answer.text == answer_text(25)
    assert answer.end["outcome"] == {"type": "success"}
    assert [(m["role"], m["content"]) for m in stored] == [
        ("assistant", answer_text(25)),
        ("user", "well: script=steady tokens=25 ms=2"),
    ]
    assert (answer.receipt["inputTokens"], answer.receipt["outputTokens"]) == (50, 25)
    assert (answer.receipt["attempts"], answer.receipt["estimated"]) == (1, False)
    assert (await receipt_of(desk, key, answer.run_id)).body["receipt"]["outputTokens"] == 25
    assert answer.receipt["priced"] is False  # nobody knows what `fake-1` costs: never 0


@pytest.mark.parametrize("script", ["cut", "no_end", "error"])
async def test_a_stream_that_breaks_after_words_keeps_them_and_says_so(
    desk: Server, key: str, script: str
) -> None:
    answer = await ask(desk, key, f"breaks: script={script} tokens=15 ms=3")
    stored = await messages_of(desk, key, answer.thread_id)

    assert_well_formed(answer)
    assert answer.end["type"] == "RUN_ERROR"
    assert answer.end["code"].startswith("llm_")
    assert answer.text == answer_text(15)
    assert stored[0]["content"] == answer_text(15)
    assert stored[0]["stopped"] == "failed"
    assert stored[0]["id"] == answer.end["metadata"]["outcry"]["messageId"]
    assert answer.receipt["attempts"] == 1, "what was shown must not be asked for again"
    assert answer.receipt["estimated"] is True
    assert answer.receipt["outputTokens"] > 0


@pytest.mark.parametrize("script", ["cut", "error"])
async def test_a_provider_that_breaks_before_the_first_word_is_tried_again_and_each_is_booked(
    desk: Server, key: str, script: str, provider: Provider
) -> None:
    before = len(provider.requests)
    answer = await ask(desk, key, f"never: script={script} tokens=0 ms=1")
    asked = len(provider.requests) - before
    stored = await messages_of(desk, key, answer.thread_id)

    assert_well_formed(answer)
    assert answer.end["type"] == "RUN_ERROR"
    assert 1 < asked <= 3
    assert answer.receipt["attempts"] == asked
    assert answer.end["metadata"]["outcry"]["messageId"] is None
    assert [message["role"] for message in stored] == ["user"]


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_provider_that_recovers_is_asked_again_and_the_user_sees_one_answer(
    desk: Server, key: str, status: int
) -> None:
    answer = await ask(
        desk, key, f"again {status}: script=second_time status={status} tokens=4 ms=1"
    )

    assert_well_formed(answer)
    assert answer.end["type"] == "RUN_FINISHED"
    assert answer.text == answer_text(4)
    assert answer.receipt["attempts"] == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "llm_rejected"),
        (401, "llm_unauthorized"),
        (403, "llm_unauthorized"),
        (404, "llm_not_found"),
        (413, "llm_rejected"),
        (422, "llm_rejected"),
    ],
)
async def test_a_refusal_is_told_once_in_clear_words_and_costs_nothing(
    desk: Server, key: str, provider: Provider, status: int, code: str
) -> None:
    before = len(provider.requests)
    answer = await ask(desk, key, f"refused: script=refuse status={status}")

    assert_well_formed(answer)
    assert (answer.end["type"], answer.end["code"]) == ("RUN_ERROR", code)
    assert str(status) in answer.end["message"]
    assert len(provider.requests) == before + 1, "asking again cannot help"
    assert Decimal(answer.receipt["amount"]) == 0
    assert (answer.receipt["inputTokens"], answer.receipt["outputTokens"]) == (0, 0)
    if status in (401, 403):
        assert "key" in answer.end["message"]
        assert "sk-" not in str(answer.frames), "providers quote the key in these"


async def test_a_provider_that_sends_no_usage_is_estimated_and_marked(
    desk: Server, key: str
) -> None:
    answer = await ask(desk, key, "silent: script=no_usage tokens=20 ms=1")

    assert answer.end["type"] == "RUN_FINISHED"
    assert answer.receipt["estimated"] is True
    assert 10 <= answer.receipt["outputTokens"] <= 60
    assert answer.receipt["inputTokens"] > 0


async def test_an_absurd_usage_is_not_believed(desk: Server, key: str) -> None:
    answer = await ask(desk, key, "absurd: script=absurd_usage tokens=20 ms=1")

    assert answer.end["type"] == "RUN_FINISHED"
    assert answer.receipt["estimated"] is True
    assert answer.receipt["outputTokens"] < 1000
    assert answer.receipt["inputTokens"] < 100_000


async def test_usage_told_twice_counts_once(desk: Server, key: str) -> None:
    answer = await ask(desk, key, "double: script=usage_twice tokens=20 ms=1")

    assert (answer.receipt["inputTokens"], answer.receipt["outputTokens"]) == (50, 20)


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_a_provider_that_goes_silent_is_given_up_and_its_words_are_kept(
    desk: Server, key: str, provider: Provider
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        command = await wire.run("stalls: script=stall tokens=6 ms=2")
        await wire.reply_to(command["id"])
        end, frames = await wire.until(
            lambda f: f["type"] == "event" and is_end(f["event"]), timeout_s=60
        )
    answer = Answer(command, {}, [f for f in frames if f["type"] == "event"])

    assert_well_formed(answer)
    assert (end["event"]["type"], end["event"]["code"]) == ("RUN_ERROR", "llm_stalled")
    assert answer.text == answer_text(6)
    assert answer.receipt["estimated"] is True
    assert "stall" in provider.cut_off, "the connection to the provider must be given up too"


async def test_stop_keeps_what_was_said_closes_the_provider_and_books_it(
    desk: Server, key: str, provider: Provider
) -> None:
    provider.cut_off.clear()
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        command = await wire.run("stopped: script=steady tokens=2000 ms=10")
        run_id = command["input"]["runId"]
        await wire.reply_to(command["id"])
        frames: list[Frame] = []
        while len(frames) < 12:
            frame = await wire.receive()
            if frame["type"] == "event":
                frames.append(frame)
        await wire.command("stop", id="stop-it", runId=run_id)
        end, rest = await wire.until(lambda f: f["type"] == "event" and is_end(f["event"]))
        frames += [f for f in rest if f["type"] == "event"]
        replies = [f for f in rest if f["type"] == "reply"]
        if not replies:
            replies = [await wire.reply_to("stop-it")]
    answer = Answer(command, {}, frames)
    stored = await messages_of(desk, key, answer.thread_id)

    assert_well_formed(answer)
    assert replies[0]["result"] == {"runId": run_id, "stopped": True}
    assert end["event"]["outcome"] == {"type": "cancelled"}
    assert answer.text
    assert answer_text(2000).startswith(answer.text)
    assert stored[0]["content"] == answer.text
    assert stored[0]["stopped"] == "cancelled"
    assert answer.receipt["estimated"] is True
    assert answer.receipt["outputTokens"] > 0, "what was streamed was paid for"
    async with asyncio.timeout(2):
        while "steady" not in provider.cut_off:  # noqa: ASYNC110 - the provider notices by writing
            await asyncio.sleep(0.02)


async def test_a_run_goes_on_when_its_only_reader_leaves(
    desk: Server, key: str, provider: Provider
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        command = await wire.run("left alone: script=steady tokens=40 ms=5")
        await wire.reply_to(command["id"])
        wire.drop()
    thread_id = command["input"]["threadId"]
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello(threads=[{"threadId": thread_id, "since": 0}])
        end, frames = await wire.until(lambda f: f["type"] == "event" and is_end(f["event"]))

    answer = Answer(command, {}, [f for f in frames if f["type"] == "event"])
    assert end["event"]["type"] == "RUN_FINISHED"
    assert answer.text == answer_text(40)


async def test_split_characters_nul_and_lone_surrogates_of_a_provider_are_mended(
    desk: Server, key: str
) -> None:
    answer = await ask(desk, key, "nasty: script=nasty_text")
    stored = await messages_of(desk, key, answer.thread_id)

    assert answer.end["type"] == "RUN_FINISHED", answer.end
    assert answer.text == "é🙂 a\ufffdb\ufffdc " + answer_text(2)
    assert stored[0]["content"] == answer.text


async def test_a_failed_answer_is_no_part_of_the_next_question_unless_it_was_said(
    desk: Server, key: str, provider: Provider
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        first = await wire.ask("first: script=refuse status=401")
        second = await wire.ask("second: script=steady tokens=3 ms=1", thread_id=first.thread_id)

    assert second.end["type"] == "RUN_FINISHED"
    roles = [message["role"] for message in provider.requests[-1]["messages"]]
    assert roles[-1] == "user"
    assert not any(
        message["role"] == "assistant" and not message.get("content")
        for message in provider.requests[-1]["messages"]
    )
