"""What every LLM keeps, whoever answers."""

import asyncio

import pytest

from agents.llms.llm import StreamMeter
from agents.messages import ToolRequest, Usage
from tests.contracts.llms.asking import AFTER_TOOLS, QUESTION
from tests.contracts.llms.conftest import Heard, Making
from tests.fakes.llm_servers import Answer, FakeCall


async def test_the_reply_is_what_was_streamed(making: Making) -> None:
    heard = Heard()
    async with making(Answer(deltas=["GOOG closed ", "at ", "806.19. 📈"])) as llm:
        reply = await llm.complete(QUESTION, heard)
    assert reply.text == heard.text == "GOOG closed at 806.19. 📈"
    assert reply.finish_reason == "stop"
    assert reply.tool_requests == ()
    assert all(heard.deltas)


async def test_usage_is_told(making: Making) -> None:
    usage = dict(input=1200, output=34, cached=1000)
    async with making(Answer(usage=usage)) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage == Usage(input_tokens=1200, output_tokens=34, cache_read_tokens=1000)


async def test_usage_that_was_never_told_is_none(making: Making) -> None:
    async with making(Answer(usage=None)) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert reply.usage is None


async def test_tool_calls_come_whole_and_in_order(making: Making) -> None:
    calls = [
        FakeCall("quotes", '{"symbol": "GOOG"}', id="a"),
        FakeCall("signals", '{"symbol": "MSFT", "n": 3}', id="b"),
    ]
    async with making(Answer(deltas=["Let me look."], calls=calls)) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert reply.finish_reason == "tool_calls"
    assert reply.tool_requests == (
        ToolRequest("a", "quotes", {"symbol": "GOOG"}),
        ToolRequest("b", "signals", {"symbol": "MSFT", "n": 3}),
    )


async def test_a_reply_of_tool_calls_alone_streams_nothing(making: Making) -> None:
    heard = Heard()
    async with making(Answer(deltas=[], calls=[FakeCall("quotes", "{}")])) as llm:
        reply = await llm.complete(QUESTION, heard)
    assert heard.deltas == []
    assert reply.text == ""
    assert len(reply.tool_requests) == 1


async def test_cut_arguments_are_kept_as_written(making: Making) -> None:
    calls = [FakeCall("quotes", '{"symbol": "GO')]
    async with making(Answer(deltas=[], calls=calls, finish="length")) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert reply.tool_requests[0].malformed == '{"symbol": "GO'
    assert reply.finish_reason == "length"


@pytest.mark.parametrize("finish", ["length", "refused"])
async def test_the_reason_for_an_early_end_is_told(making: Making, finish: str) -> None:
    async with making(Answer(finish=finish)) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert reply.finish_reason == finish
    assert reply.text


async def test_an_empty_answer_is_a_reply(making: Making) -> None:
    async with making(Answer(deltas=[])) as llm:
        reply = await llm.complete(QUESTION, Heard())
    assert (reply.text, reply.tool_requests, reply.finish_reason) == ("", (), "stop")


async def test_many_can_ask_at_once(making: Making) -> None:
    async with making(Answer(deltas=["all ", "the ", "same"])) as llm:
        replies = await asyncio.gather(*(llm.complete(QUESTION, Heard()) for _ in range(20)))
    assert {reply.text for reply in replies} == {"all the same"}


async def test_a_history_with_tool_results_is_understood(making: Making) -> None:
    async with making(Answer()) as llm:
        reply = await llm.complete(AFTER_TOOLS, Heard())
    assert reply.text


async def test_cancelling_raises_and_stops_the_words(making: Making) -> None:
    heard = Heard()
    async with making(Answer(gate=asyncio.Event())) as llm:
        asking = asyncio.create_task(llm.complete(QUESTION, heard))
        for _ in range(20):
            await asyncio.sleep(0.005)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        before = heard.text
        await asyncio.sleep(0.01)
        assert heard.text == before


async def test_a_meter_counts_what_is_not_shown(making: Making) -> None:
    calls = [FakeCall("quotes", '{"symbol": "GOOG"}')]
    meter = StreamMeter(Heard())
    async with making(Answer(deltas=["12345"], calls=calls)) as llm:
        await llm.complete(QUESTION, meter)
    assert meter.shown == 5
    assert meter.unseen >= len('{"symbol": "GOOG"}')


async def test_closing_twice_is_harmless(making: Making) -> None:
    async with making(Answer()) as llm:
        await llm.complete(QUESTION, Heard())
        await llm.aclose()
