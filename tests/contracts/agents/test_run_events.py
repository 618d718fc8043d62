"""Whatever happens in a run, its events stay in the order that AG-UI asks for."""

import asyncio

import pytest

from agents.llms.anthropic import AnthropicLLM
from agents.llms.attempts import RetryPolicy
from agents.llms.llm import LLM
from agents.llms.openai import OpenAILLM
from agents.llms.scripted import Line, ScriptedLLM, ScriptedReply
from agents.runner import Runner, RunOutcome, RunProgress, RunRequest
from tests.fakes.agui_rules import OutOfOrder, verify
from tests.fakes.llm_servers import Answer, FakeCall, FakeLLMServer
from tests.fakes.run_sink import Gate, RecordingSink
from tests.fakes.runs import ask, run_request
from tests.fakes.tools import WaitingTool, toolbox

QUICK = RetryPolicy(first_wait_s=0.001, max_wait_s=0.002)

WHOLE: list[Line] = [
    ScriptedReply("Let me look at it.", (ask("1", symbol="GOOG"), ask("2", "signals"))),
    ScriptedReply("", (ask("3", symbol="MSFT"), ask("4", "nothing"))),
    ScriptedReply("GOOG closed at 806.19 on 1 March 2013, so did MSFT.", piece_characters=8),
]


def check(sink: RecordingSink, outcome: RunOutcome) -> None:
    """Check what holds for every run."""
    verify(sink.whole_run(outcome))
    assert [piece.text for piece in outcome.pieces] == sink.texts()
    assert [str(piece.message_id) for piece in outcome.pieces] == [
        event["messageId"] for event in sink.of("TEXT_MESSAGE_START")
    ]
    assert [call.call_id for call in outcome.tool_calls] == [
        event["toolCallId"] for event in sink.of("TOOL_CALL_START")
    ]
    results = {event["toolCallId"]: event for event in sink.of("TOOL_CALL_RESULT")}
    for call in outcome.tool_calls:
        assert results[call.call_id]["metadata"]["outcry"]["status"] == call.status
    assert sink.all_closed()


async def test_a_run_with_tools_that_work_and_fail_is_in_order() -> None:
    sink = RecordingSink()
    outcome = await Runner(toolbox()).run(run_request(ScriptedLLM(WHOLE)), sink)
    assert outcome.status == "finished"
    check(sink, outcome)
    assert len(sink.of("TOOL_CALL_RESULT")) == 4
    assert len(sink.of("ACTIVITY_SNAPSHOT")) == 2


async def cancelled_at(
    number: int, runner: Runner, request: RunRequest
) -> tuple[RecordingSink, RunOutcome | None]:
    """Cancel a run as its sink takes its `number`th word; None if it ended before."""
    tasks: list[asyncio.Task[RunOutcome]] = []

    def said(count: int) -> None:
        if count == number:
            tasks[0].cancel()

    sink = RecordingSink(said=said)
    progress = RunProgress()
    tasks.append(asyncio.create_task(runner.run(request, sink, progress)))
    try:
        await tasks[0]
    except asyncio.CancelledError:
        return sink, progress.outcome("cancelled")
    return sink, None


async def test_a_run_cancelled_at_any_event_is_in_order() -> None:
    runner = Runner(toolbox())
    number = cancelled = 0
    while True:
        number += 1
        sink, outcome = await cancelled_at(number, runner, run_request(ScriptedLLM(WHOLE)))
        if outcome is None:
            break
        check(sink, outcome)
        cancelled += 1
        before = len(sink.events)
        await asyncio.sleep(0)
        assert len(sink.events) == before, "it went on after it was cancelled"
    assert cancelled > 40


@pytest.mark.parametrize("where", ["tool", "provider", "room", "announcing"])
async def test_a_run_cancelled_while_it_waits_is_in_order(where: str) -> None:
    gate, tool = Gate(), WaitingTool()
    llm = ScriptedLLM(
        [
            ScriptedReply(
                "Well, ", (ask("1", "indicators"),), pause_s=3600 if where == "provider" else 0
            ),
            ScriptedReply("no."),
        ]
    )
    sink = RecordingSink()
    if where == "room":
        sink.room = gate
    if where == "announcing":
        sink.announcing = gate
    runner, progress = Runner(toolbox(tool)), RunProgress()
    request = run_request(llm, tool_names=("indicators",))
    task = asyncio.create_task(runner.run(request, sink, progress))
    match where:
        case "tool":
            await tool.entered.wait()
        case "provider":
            async with asyncio.timeout(5):
                while not sink.attempts:  # noqa: ASYNC110 - the sink's own record
                    await asyncio.sleep(0)
        case _:
            await gate.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    check(sink, progress.outcome("cancelled"))
    assert tool.cancelled is (where == "tool")


async def test_a_run_cancelled_before_it_began_has_an_empty_outcome() -> None:
    assert RunProgress().outcome("cancelled") == RunOutcome(status="cancelled")


def _llm(server: FakeLLMServer) -> LLM:
    if server.style == "openai":
        return OpenAILLM(base_url=server.url)
    return AnthropicLLM(base_url=server.url, api_key="k")


FIRST = Answer(
    deltas=["Let me ", "look."],
    calls=[FakeCall("quotes", '{"symbol": "GOOG"}', id="1"), FakeCall("signals", "{}", id="2")],
)
SECOND = Answer(deltas=["GOOG ", "closed ", "at 806.19."])


@pytest.mark.parametrize("style", ["openai", "anthropic"])
@pytest.mark.parametrize("which", [0, 1])
async def test_a_provider_that_fails_anywhere_leaves_the_run_in_order(
    style: str, which: int
) -> None:
    runner = Runner(toolbox(), retries=QUICK)
    seen = set()
    async with FakeLLMServer(style).serving() as server:  # type: ignore[arg-type]
        llm = _llm(server)
        answers = [FIRST, SECOND]
        for fault in ("end", "reset", "error", "garbage"):
            for position in range(len(server.events(answers[which]))):
                broken = _broken(answers[which], position, fault)
                server.answers.clear()
                server.answers.extend([*answers[:which], *[broken] * 3, *answers[which:], SECOND])
                sink = RecordingSink()
                outcome = await runner.run(run_request(llm), sink)
                check(sink, outcome)
                seen.add(outcome.status)
                assert (outcome.error_code is None) == (outcome.status == "finished")
        await llm.aclose()
    assert seen == {"finished", "failed"}


def _broken(answer: Answer, position: int, fault: str) -> Answer:
    return Answer(
        deltas=answer.deltas,
        calls=answer.calls,
        fault_after=position,
        fault=fault,  # type: ignore[arg-type]
        error={"type": "overloaded_error", "message": "busy"},
    )


@pytest.mark.parametrize("style", ["openai", "anthropic"])
async def test_stopping_a_run_closes_the_connection_to_the_provider(style: str) -> None:
    progress = RunProgress()
    speaking = asyncio.Event()
    sink = RecordingSink(said=lambda _: speaking.set() if sink.texts() else None)
    async with FakeLLMServer(style).serving() as server:  # type: ignore[arg-type]
        server.answers.append(Answer(gate=asyncio.Event()))
        llm = _llm(server)
        task = asyncio.create_task(Runner(toolbox()).run(run_request(llm), sink, progress))
        await asyncio.wait_for(speaking.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.left.wait(), 1)
        await llm.aclose()
    outcome = progress.outcome("cancelled")
    check(sink, outcome)
    assert outcome.pieces[0].text
    (end,) = sink.ends
    assert (end.status, end.usage) == ("cancelled", None)
    assert end.streamed_characters == len(outcome.pieces[0].text)


@pytest.mark.parametrize(
    "events",
    [
        [],
        ["TEXT_MESSAGE_CONTENT"],
        ["TEXT_MESSAGE_START"],
        ["TEXT_MESSAGE_START", "TEXT_MESSAGE_START"],
        ["TOOL_CALL_START", "TOOL_CALL_END"],
        ["STEP_STARTED"],
        ["STEP_STARTED", "STEP_STARTED"],
        ["STEP_FINISHED"],
        ["TOOL_CALL_RESULT"],
    ],
)
def test_the_rules_refuse_what_is_out_of_order(events: list[str]) -> None:
    fields = dict(
        messageId="m", toolCallId="c", toolCallName="t", stepName="s", delta="d", content="x"
    )
    start, end = RecordingSink().whole_run(RunOutcome(status="finished"))
    middle = [{"type": kind, **fields} for kind in events]
    with pytest.raises(OutOfOrder):
        verify([start, *middle, end] if events else [start])
