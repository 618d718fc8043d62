"""The built-in model keeps the contract of an LLM, in whole runs over the desk's real tools."""

import pytest

from agents.llms.builtin import BuiltinLLM
from agents.llms.llm import LLMRequest, StreamMeter
from agents.messages import Message
from agents.runner import Runner, RunOutcome
from tests.contracts.agents.test_run_events import cancelled_at, check
from tests.fakes.run_sink import RecordingSink
from tests.fakes.runs import run_request
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.registry import ToolBox

QUESTIONS = [
    "How does GOOG look right now, and is that unusual?",
    "Compare GOOG and MSFT",
    "What is the RSI of XYZQ?",
    "hello",
]


@pytest.fixture(scope="module")
def toolbox() -> ToolBox:
    market = vendored_market()
    return ToolBox(market_tools(market, market))


async def answered(
    toolbox: ToolBox, question: str, sink: RecordingSink, history: tuple[Message, ...] = ()
) -> RunOutcome:
    request = run_request(
        BuiltinLLM(), question=question, history=history, tool_names=toolbox.names
    )
    return await Runner(toolbox).run(request, sink)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_answered_in_order(toolbox: ToolBox, question: str) -> None:
    sink = RecordingSink()
    outcome = await answered(toolbox, question, sink)
    assert (outcome.status, outcome.error_message) == ("finished", None)
    check(sink, outcome)
    assert outcome.pieces[-1].text.strip()
    assert [claim.text for claim in outcome.claims if claim.status == "unverified"] == []


async def test_an_outlook_uses_tools_and_shows_its_evidence(toolbox: ToolBox) -> None:
    sink = RecordingSink()
    outcome = await answered(toolbox, QUESTIONS[0], sink)
    assert outcome.tool_calls
    assert any(claim.status == "supported" for claim in outcome.claims)
    assert sink.of("ACTIVITY_SNAPSHOT")


async def test_its_run_can_be_cancelled_at_any_event(toolbox: ToolBox) -> None:
    runner, number = Runner(toolbox), 0
    while True:
        number += 7
        request = run_request(BuiltinLLM(), question=QUESTIONS[0], tool_names=toolbox.names)
        sink, outcome = await cancelled_at(number, runner, request)
        if outcome is None:
            break
        check(sink, outcome)
    assert number > 20


async def test_it_streams_what_it_replies_and_tells_usage() -> None:
    heard: list[str] = []
    meter = StreamMeter(heard.append)
    request = LLMRequest(model="m", system="", messages=(Message("user", "hello"),))
    reply = await BuiltinLLM().complete(request, meter)
    assert "".join(heard) == reply.text
    assert meter.shown == len(reply.text)
    assert reply.usage is not None
    assert reply.usage.output_tokens > 0
