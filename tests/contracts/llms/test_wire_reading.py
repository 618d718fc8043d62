"""Text, usage and tool calls are read right however a server writes and cuts them."""

import asyncio
from typing import Any

import msgspec
import pytest

from agents.errors import LLMRejected
from agents.messages import Message, ToolRequest, Usage
from tests.contracts.llms.asking import AFTER_TOOLS, QUESTION
from tests.contracts.llms.conftest import Heard, Wired, wired_llm
from tests.fakes.llm_servers import Answer, FakeCall

WORDS = ["Ärger, ", "日本 ", "📈📉", "\n", "end."]


@pytest.mark.parametrize("chunking", ["event", "byte", "lump"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("comments", [True, False])
async def test_any_cutting_gives_the_same_reply(
    wired: Wired, chunking: Any, newline: str, comments: bool
) -> None:
    answer = Answer(
        deltas=WORDS,
        calls=[FakeCall("quotes", '{"symbol": "GOOG"}', id="a")],
        chunking=chunking,
        newline=newline,
        comments=comments,
    )
    heard = Heard()
    async with wired(answer) as (llm, _):
        reply = await llm.complete(QUESTION, heard)
    assert reply.text == heard.text == "".join(WORDS)
    assert reply.tool_requests == (ToolRequest("a", "quotes", {"symbol": "GOOG"}),)
    assert reply.usage == Usage(input_tokens=100, output_tokens=20)


async def test_what_comes_in_one_wake_up_leaves_in_one_call(wired: Wired) -> None:
    heard = Heard()
    async with wired(Answer(deltas=["a "] * 500, chunking="lump")) as (llm, _):
        reply = await llm.complete(QUESTION, heard)
    assert reply.text == "a " * 500
    # 500 deltas are some 70 KB: a few reads of the socket.
    assert len(heard.deltas) <= 20


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        (["a\x00b"], "a\ufffdb"),
        (["half \ud83d", "\udcc8 joined"], "half 📈 joined"),
        (["lone \ud800 high"], "lone \ufffd high"),
        (["low \udc00", " end \ud83d"], "low \ufffd end \ufffd"),
    ],
)
async def test_text_that_cannot_be_stored_is_mended(
    wired: Wired, deltas: list[str], text: str
) -> None:
    heard = Heard()
    async with wired(Answer(deltas=deltas, ascii=True)) as (llm, _):
        reply = await llm.complete(QUESTION, heard)
    assert reply.text == heard.text == text


async def test_bytes_that_are_no_utf8_are_mended(wired: Wired) -> None:
    heard = Heard()
    async with wired(Answer(deltas=["bad \ud800 bytes"])) as (llm, _):
        reply = await llm.complete(QUESTION, heard)
    assert reply.text == heard.text
    assert reply.text.startswith("bad \ufffd")
    assert reply.text.endswith(" bytes")


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (dict(input=50, output=5), Usage(input_tokens=50, output_tokens=5)),
        (
            dict(input=5000, output=5, cached=4000),
            Usage(input_tokens=5000, output_tokens=5, cache_read_tokens=4000),
        ),
        (dict(input=-1, output=5), None),
        (dict(input=10, output=-5), None),
        (dict(input=10, output=10**12), None),
        (dict(input=10, output="many"), None),
        (dict(input=10, output=True), None),
    ],
)
async def test_usage_is_believed_only_if_it_can_be(
    wired: Wired, usage: dict[str, Any], read: Usage | None
) -> None:
    async with wired(Answer(usage=usage)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage == read


async def test_usage_told_twice_counts_once(wired: Wired) -> None:
    async with wired(Answer(usage_twice=True)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage == Usage(input_tokens=100, output_tokens=20)


async def test_reasoning_is_counted_and_not_shown(wired: Wired) -> None:
    heard = Heard()
    async with wired(Answer(reasoning="hm, let me think")) as (llm, _):
        reply = await llm.complete(QUESTION, heard)
    assert "think" not in heard.text
    assert reply.text == heard.text


async def test_openai_tells_cached_and_reasoning_tokens() -> None:
    usage = dict(input=100, output=90, cached=80, reasoning=70)
    async with wired_llm("openai", Answer(usage=usage)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage == Usage(
        input_tokens=100, output_tokens=90, cache_read_tokens=80, reasoning_tokens=70
    )


async def test_anthropics_cache_is_part_of_the_input() -> None:
    usage = dict(input=100, output=9, cached=80, written=15)
    async with wired_llm("anthropic", Answer(usage=usage)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage == Usage(
        input_tokens=100, output_tokens=9, cache_read_tokens=80, cache_write_tokens=15
    )


async def test_a_server_that_never_says_done_is_still_understood() -> None:
    async with wired_llm("openai", Answer(done_marker=False)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.text == "GOOG closed at 806.19."


@pytest.mark.parametrize("index", [None, 0])
async def test_openai_calls_in_whole_chunks_are_read(index: int | None) -> None:
    calls = [
        FakeCall("quotes", '{"symbol": "A"}', id="a", whole_chunk=True, index=index),
        FakeCall("quotes", '{"symbol": "B"}', id="b", whole_chunk=True, index=index),
    ]
    async with wired_llm("openai", Answer(deltas=[], calls=calls)) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert [call.arguments for call in reply.tool_requests] == [{"symbol": "A"}, {"symbol": "B"}]


async def test_a_call_without_an_id_gets_one() -> None:
    call = FakeCall("quotes", "{}", id="")
    async with wired_llm("openai", Answer(deltas=[], calls=[call])) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.tool_requests[0].id


async def test_openai_is_asked_in_its_words() -> None:
    async with wired_llm("openai", Answer()) as (llm, server):
        await llm.complete(AFTER_TOOLS, Heard())
        asked = server.requests[0]
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True}
    assert asked["max_tokens"] == 4096
    assert asked["temperature"] == 0.2
    assert asked["tools"][0]["function"]["name"] == "quotes"
    assert [message["role"] for message in asked["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "user",
    ]
    calls = asked["messages"][2]["tool_calls"]
    assert calls[0]["function"] == {"name": "quotes", "arguments": '{"symbol":"GOOG"}'}
    assert asked["messages"][3]["tool_call_id"] == calls[0]["id"] == "c1"


async def test_anthropic_is_asked_in_its_words() -> None:
    async with wired_llm("anthropic", Answer()) as (llm, server):
        await llm.complete(AFTER_TOOLS, Heard())
        asked, headers = server.requests[0], server.headers[0]
    assert {"anthropic-version", "x-api-key"} <= {name.lower() for name in headers}
    assert asked["stream"] is True
    assert asked["system"][0]["text"] == "You are an analyst."
    assert asked["tools"][0]["input_schema"]["required"] == ["symbol"]
    roles = [message["role"] for message in asked["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    results = asked["messages"][2]["content"]
    assert [result["tool_use_id"] for result in results] == ["c1", "c2"]
    assert [result.get("is_error", False) for result in results] == [False, True]


async def test_a_request_with_broken_text_is_still_sent(wired: Wired) -> None:
    request = msgspec.structs.replace(
        QUESTION, messages=(Message(role="user", content="half \ud800 a character"),)
    )
    async with wired(Answer()) as (llm, server):
        await llm.complete(request, Heard())
        assert "half \ufffd a character" in str(server.requests[0])


async def test_streams_do_not_mix(wired: Wired) -> None:
    answers = [Answer(deltas=[f"{n} "] * 50) for n in range(20)]
    async with wired(*answers, Answer()) as (llm, _):
        replies = await asyncio.gather(*(llm.complete(QUESTION, Heard()) for _ in answers))
    for reply in replies:
        assert len(set(reply.text.split())) == 1
    assert len({reply.text for reply in replies}) == 20


async def test_what_a_model_refuses_by_name_is_left_out_of_the_next_attempt(wired: Wired) -> None:
    refusal = Answer(
        status=400, error={"message": "`temperature` does not support 0.3 with this model."}
    )
    async with wired(refusal, Answer()) as (llm, server):
        with pytest.raises(LLMRejected) as caught:
            await llm.complete(QUESTION, Heard())
        assert caught.value.retryable
        assert (await llm.complete(QUESTION, Heard())).text
        assert ["temperature" in request for request in server.requests] == [True, False]


async def test_the_same_complaint_twice_is_final(wired: Wired) -> None:
    refusal = Answer(status=400, error={"message": "`temperature` is wrong"})
    async with wired(refusal) as (llm, _):
        for retryable in (True, False):
            with pytest.raises(LLMRejected) as caught:
                await llm.complete(QUESTION, Heard())
            assert caught.value.retryable is retryable


async def test_names_that_servers_disagree_about_are_learned() -> None:
    refusals = [
        Answer(status=400, error={"message": "Use 'max_completion_tokens' instead."}),
        Answer(status=422, error={"message": "stream_options: extra fields not permitted"}),
    ]
    async with wired_llm("openai", *refusals, Answer()) as (llm, server):
        for _ in refusals:
            with pytest.raises(LLMRejected):
                await llm.complete(QUESTION, Heard())
        await llm.complete(QUESTION, Heard())
    last = server.requests[-1]
    assert last["max_completion_tokens"] == 512
    assert not {"max_tokens", "stream_options"} & set(last)
