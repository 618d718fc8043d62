"""How a run goes: what the LLM is told, what it may do, and what comes of it."""

import asyncio
from typing import Any

import msgspec
import pytest

from agents.errors import BudgetExceeded, LLMRejected, LLMUnavailable
from agents.limits import Limits
from agents.llms.attempts import RetryPolicy
from agents.llms.scripted import ScriptedLLM, ScriptedReply
from agents.messages import Message, ToolRequest, Usage
from agents.runner import Runner, RunOutcome
from tests.fakes.run_sink import RecordingSink
from tests.fakes.runs import ANALYST, NOW, ask, run_request
from tests.fakes.tools import FailingTool, FakeQuotes, MeetingTool, WaitingTool, toolbox
from tools.tool import ToolContext, ToolResult

ANSWER = ScriptedReply("GOOG closed at 806.19.")


async def run(
    *lines: Any, sink: RecordingSink | None = None, runner: Runner | None = None, **options: Any
) -> tuple[RunOutcome, ScriptedLLM]:
    llm = ScriptedLLM(lines)
    runner = runner or Runner(toolbox())
    outcome = await runner.run(run_request(llm, **options), sink or RecordingSink())
    return outcome, llm


# --- what the LLM is told -------------------------------------------------------------------------


async def test_the_llm_gets_rules_date_tools_and_the_question() -> None:
    _, llm = await run(ANSWER)
    (request,) = llm.requests
    assert request.system.startswith("You are the analyst")
    assert request.system.endswith("Today is Friday, 2026-11-20 (UTC).")
    assert [tool.name for tool in request.tools] == ["quotes", "signals"]
    assert request.messages == (Message(role="user", content="How does GOOG look?"),)
    assert (request.model, request.temperature, request.max_output_tokens) == ("fake-1", 0.2, 512)


async def test_tool_results_are_told_as_compact_json_of_the_evidence() -> None:
    _, llm = await run(ScriptedReply("", (ask("c1", symbol="GOOG"),)), ANSWER)
    _, wish, result = llm.requests[1].messages
    assert wish.tool_requests == (ask("c1", symbol="GOOG"),)
    assert result.tool_request_id == "c1"
    assert not result.failed
    assert msgspec.json.decode(result.content)["data"] == {"symbol": "GOOG", "close": 806.19}
    assert '": ' not in result.content


async def test_a_failed_tool_is_told_as_a_sentence() -> None:
    outcome, llm = await run(ScriptedReply("", (ask("c1", "signals"),)), ANSWER)
    result = llm.requests[1].messages[-1]
    assert (result.failed, result.content) == (True, "There are no bars of XYZ.")
    (call,) = outcome.tool_calls
    assert (call.status, call.output) == ("failure", {"error": "There are no bars of XYZ."})


async def test_a_tool_that_crashes_tells_nothing_of_its_inside() -> None:
    runner = Runner(toolbox(FailingTool(error=RuntimeError("secret path /etc/x"))))
    outcome, llm = await run(
        ScriptedReply("", (ask("c1", "signals"),)), ANSWER, runner=runner, tool_names=("signals",)
    )
    assert outcome.status == "finished"
    assert "secret" not in llm.requests[1].messages[-1].content


class Odd(FakeQuotes):
    """Gives what JSON has no way to write."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self._data = data

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        result = await super().__call__(arguments, context)
        return msgspec.structs.replace(result, data=self._data)


@pytest.mark.parametrize(
    "data", [{"x": object()}, {"x": 1 << 80, "y": {1j}}, {("a", "b"): 1}, {"x": "\ud800"}]
)
async def test_a_result_that_cannot_be_written_is_a_failed_call(data: Any) -> None:
    outcome, llm = await run(
        ScriptedReply("", (ask("c1", symbol="GOOG"),)),
        ANSWER,
        runner=Runner(toolbox(Odd(data))),
        tool_names=("quotes",),
    )
    assert outcome.status == "finished"
    assert llm.requests[1].messages[-1].failed
    (call,) = outcome.tool_calls
    assert call.status == "failure"
    assert "cannot be read" in call.output["error"]


async def test_the_past_comes_before_the_question() -> None:
    history = (Message("user", "Hello"), Message("assistant", "Good day."))
    _, llm = await run(ANSWER, history=history)
    assert llm.requests[0].messages[:2] == history


async def test_only_the_newest_turns_that_fit_are_told() -> None:
    turns = tuple(
        message
        for n in range(50)
        for message in (Message("user", f"q{n} " * 50), Message("assistant", f"a{n} " * 50))
    )
    agent = msgspec.structs.replace(ANALYST, memory_max_tokens=600)
    _, llm = await run(ANSWER, history=turns, agent=agent)
    told = llm.requests[0].messages
    assert 2 < len(told) < 12
    assert told[:-1] == turns[-(len(told) - 1) :]
    assert told[0].role == "user"


async def test_a_past_call_that_was_never_answered_is_answered_now() -> None:
    history = (
        Message("user", "Hello"),
        Message("assistant", "", tool_requests=(ask("old"),)),
        Message("assistant", "I was stopped."),
    )
    _, llm = await run(ANSWER, history=history)
    result = llm.requests[0].messages[2]
    assert (result.role, result.tool_request_id, result.failed) == ("tool", "old", True)


async def test_tools_get_the_principal_the_moment_and_the_time_limit() -> None:
    quotes = FakeQuotes()
    await run(
        ScriptedReply("", (ask("c1", symbol="GOOG"),)),
        ANSWER,
        runner=Runner(toolbox(quotes)),
        tool_names=("quotes",),
        limits=Limits(tool_timeout_s=3),
    )
    (context,) = quotes.contexts
    assert (context.principal_id, context.now, context.timeout_s) == ("user-1", NOW, 3)


# --- what comes of it -----------------------------------------------------------------------------


async def test_numbers_of_the_answer_are_claimed() -> None:
    sink = RecordingSink()
    outcome, _ = await run(ScriptedReply("", (ask("c1", symbol="GOOG"),)), ANSWER, sink=sink)
    (claim,) = outcome.claims
    assert (claim.text, claim.status, claim.tool_call_id) == ("806.19", "supported", "c1")
    (event,) = sink.of("CUSTOM")
    assert event["value"]["messageId"] == str(outcome.pieces[-1].message_id)
    assert event["value"]["claims"][0]["toolCallId"] == "c1"


async def test_text_before_a_tool_call_is_a_message_of_its_own() -> None:
    sink = RecordingSink()
    outcome, _ = await run(
        ScriptedReply("Let me look.", (ask("c1", symbol="GOOG"),)), ANSWER, sink=sink
    )
    assert [piece.text for piece in outcome.pieces] == ["Let me look.", "GOOG closed at 806.19."]
    start = sink.of("TOOL_CALL_START")[0]
    assert start["parentMessageId"] == str(outcome.pieces[0].message_id)
    assert {piece.message_id.version for piece in outcome.pieces} == {7}


async def test_an_empty_line_before_a_tool_call_is_no_message() -> None:
    outcome, _ = await run(
        ScriptedReply("\n\n", (ask("c1", symbol="GOOG"),)), ScriptedReply("\n\nYes.")
    )
    assert [piece.text for piece in outcome.pieces] == ["Yes."]


async def test_usage_of_all_attempts_is_summed() -> None:
    outcome, _ = await run(
        ScriptedReply("", (ask("c1", symbol="GOOG"),), usage=Usage(100, 10, 50)),
        ScriptedReply("Done.", usage=Usage(200, 20, 150)),
    )
    assert outcome.usage == Usage(300, 30, 200)
    (by_model,) = outcome.usage_by_model
    assert (by_model.provider, by_model.model) == ("scripted", "fake-1")


async def test_steps_say_in_plain_words_what_is_done() -> None:
    sink = RecordingSink()
    await run(ScriptedReply("", (ask("c1", symbol="GOOG"),)), ANSWER, sink=sink)
    steps = [event["stepName"] for event in sink.of("STEP_STARTED")]
    assert steps == ["asking fake-1", "reading GOOG prices", "asking fake-1"]


async def test_cards_are_drawn_and_say_which_call_they_came_from() -> None:
    sink = RecordingSink()
    outcome, llm = await run(ScriptedReply("", (ask("c1", symbol="GOOG"),)), ANSWER, sink=sink)
    (card,) = sink.of("ACTIVITY_SNAPSHOT")
    assert card["activityType"] == "chart.candles"
    assert card["content"] == {"symbol": "GOOG", "toolCallId": "c1"}
    assert outcome.tool_calls[0].cards[0].activity_type == "chart.candles"
    assert "chart.candles" not in str(llm.requests[1].messages)


async def test_tool_calls_of_one_reply_run_at_the_same_time() -> None:
    runner = Runner(toolbox(MeetingTool(parties=3)))
    calls = tuple(ask(f"c{n}", "indicators", n=n) for n in range(3))
    outcome, _ = await run(
        ScriptedReply("", calls), ANSWER, runner=runner, tool_names=("indicators",)
    )
    assert [call.status for call in outcome.tool_calls] == ["success"] * 3


async def test_an_answer_that_was_cut_off_says_so() -> None:
    outcome, _ = await run(ScriptedReply("GOOG closed at", finish_reason="length"))
    assert (outcome.status, outcome.finish_reason) == ("finished", "length")


@pytest.mark.parametrize(
    ("finish", "words"), [("", "empty answer"), ("length", "tokens"), ("refused", "refused")]
)
async def test_no_answer_is_a_failure_with_its_reason(finish: str, words: str) -> None:
    outcome, _ = await run(ScriptedReply("", finish_reason=finish))
    assert (outcome.status, outcome.error_code) == ("failed", "empty_answer")
    assert words in (outcome.error_message or "")


async def test_no_answer_after_words_and_tools_is_a_failure_too() -> None:
    outcome, _ = await run(ScriptedReply("Wait.", (ask("c1", symbol="G"),)), ScriptedReply(""))
    assert (outcome.status, outcome.error_code) == ("failed", "empty_answer")
    assert [piece.text for piece in outcome.pieces] == ["Wait."]


# --- what goes wrong ------------------------------------------------------------------------------


async def test_arguments_that_are_no_json_are_never_called_and_can_be_mended() -> None:
    quotes = FakeQuotes()
    broken = ToolRequest("c1", "quotes", {}, malformed='{"symbol": "GO')
    sink = RecordingSink()
    outcome, llm = await run(
        ScriptedReply("", (broken,)),
        ScriptedReply("", (ask("c2", symbol="GOOG"),)),
        ANSWER,
        runner=Runner(toolbox(quotes)),
        tool_names=("quotes",),
        sink=sink,
    )
    assert quotes.calls == [{"symbol": "GOOG"}]
    told = llm.requests[1].messages[-1]
    assert told.failed
    assert '{"symbol": "GO' in told.content
    assert sink.of("TOOL_CALL_ARGS")[0]["delta"] == '{"symbol": "GO'
    assert [call.status for call in outcome.tool_calls] == ["failure", "success"]


async def test_a_tool_the_agent_does_not_have_is_not_called() -> None:
    quotes = FakeQuotes()
    outcome, llm = await run(
        ScriptedReply("", (ask("c1", symbol="GOOG"),)),
        ANSWER,
        runner=Runner(toolbox(quotes, FailingTool())),
        tool_names=("signals",),
    )
    assert quotes.calls == []
    assert "Tools: signals" in llm.requests[1].messages[-1].content
    assert outcome.status == "finished"


async def test_call_ids_used_before_are_replaced() -> None:
    history = (
        Message("user", "Hello"),
        Message("assistant", "", tool_requests=(ask("call_0"),)),
        Message("tool", "{}", tool_request_id="call_0"),
        Message("assistant", "Yes."),
    )
    outcome, llm = await run(
        ScriptedReply("", (ask("call_0", symbol="A"),)),
        ScriptedReply("", (ask("call_0", symbol="B"),)),
        ANSWER,
        history=history,
    )
    ids = [call.call_id for call in outcome.tool_calls]
    assert len({*ids, "call_0"}) == 3
    for message in llm.requests[2].messages:
        for call in message.tool_requests:
            assert call.id in [*ids, "call_0"]


async def test_a_result_too_long_to_read_is_refused() -> None:
    outcome, llm = await run(
        ScriptedReply("", (ask("c1", symbol="G"),)), ANSWER, limits=Limits(max_result_characters=50)
    )
    assert "Ask for less" in llm.requests[1].messages[-1].content
    assert outcome.tool_calls[0].status == "failure"


async def test_a_call_repeated_idly_is_refused() -> None:
    quotes = FakeQuotes()
    same = [ScriptedReply("", (ask(f"c{n}", symbol="GOOG"),)) for n in range(5)]
    outcome, llm = await run(*same, ANSWER, runner=Runner(toolbox(quotes)), tool_names=("quotes",))
    assert len(quotes.calls) == 3
    assert outcome.status == "finished"
    assert "already called 3 times" in llm.requests[4].messages[-1].content


async def test_tool_calls_end_at_their_limit() -> None:
    quotes = FakeQuotes()
    many = [ScriptedReply("", (ask(f"c{n}", symbol=str(n)),)) for n in range(6)]
    _, llm = await run(
        *many,
        ANSWER,
        runner=Runner(toolbox(quotes)),
        tool_names=("quotes",),
        limits=Limits(max_tool_calls=4),
    )
    assert len(quotes.calls) == 4
    assert "All 4 tool calls" in llm.requests[5].messages[-1].content


async def test_the_last_step_has_no_tools_and_must_answer() -> None:
    many = [ScriptedReply("", (ask(f"c{n}", symbol=str(n)),)) for n in range(3)]
    outcome, llm = await run(*many, ANSWER, limits=Limits(max_steps=4))
    assert outcome.status == "finished"
    assert llm.requests[-1].tools == ()
    assert "Answer now" in llm.requests[-1].system
    assert llm.requests[-1].system.startswith(llm.requests[0].system[:500])


async def test_a_model_that_never_answers_fails_at_its_limit() -> None:
    endless = ScriptedLLM(
        [lambda request: ScriptedReply("", (ask("", symbol=str(len(request.messages))),))],
        loop=True,
    )
    outcome = await Runner(toolbox()).run(
        run_request(endless, limits=Limits(max_steps=5)), RecordingSink()
    )
    assert (outcome.status, outcome.error_code) == ("failed", "limit_reached")
    assert len(endless.requests) == 5


async def test_a_run_ends_at_its_time_limit_and_keeps_what_was_said() -> None:
    tool = WaitingTool()
    outcome, _ = await run(
        ScriptedReply("Let me look.", (ask("c1", "indicators"),)),
        runner=Runner(toolbox(tool)),
        tool_names=("indicators",),
        limits=Limits(max_seconds=0.3),
    )
    assert (outcome.status, outcome.error_code) == ("failed", "limit_reached")
    assert "0.3 seconds" in (outcome.error_message or "")
    assert [piece.text for piece in outcome.pieces] == ["Let me look."]
    assert tool.cancelled


async def test_a_failure_in_the_middle_keeps_what_was_streamed() -> None:
    sink = RecordingSink()
    outcome, llm = await run(
        ScriptedReply("GOOG closed at 8", error=LLMUnavailable("gone")), sink=sink
    )
    assert (outcome.status, outcome.error_code) == ("failed", "llm_unavailable")
    assert outcome.pieces[-1].text == "GOOG closed at 8"
    assert len(llm.requests) == 1, "what was shown is never asked for again"
    assert sink.ends[0].streamed_characters == 16


async def test_an_answer_without_end_fails_and_keeps_what_was_said() -> None:
    outcome, llm = await run(ScriptedReply("word " * 4_000, piece_characters=500))
    assert (outcome.status, outcome.error_code) == ("failed", "llm_overlong")
    assert outcome.finish_reason == "length"
    assert len(llm.requests) == 1
    (piece,) = outcome.pieces
    assert piece.text.startswith("word word")
    assert 8_000 < len(piece.text) < 9_000


async def test_a_failure_before_the_first_word_is_tried_again() -> None:
    sink = RecordingSink()
    outcome, _ = await run(
        ScriptedReply("", error=LLMUnavailable("busy")),
        ANSWER,
        sink=sink,
        runner=Runner(toolbox(), retries=RetryPolicy(first_wait_s=0.001)),
    )
    assert outcome.status == "finished"
    assert [end.status for end in sink.ends] == ["failed", "succeeded"]
    assert "waiting to ask fake-1 again" in sink.of("STEP_STARTED")[1]["stepName"]


async def test_a_refusal_is_told_in_its_words() -> None:
    outcome, _ = await run(ScriptedReply("", error=LLMRejected("the question is too long")))
    assert (outcome.error_code, outcome.error_message) == (
        "llm_rejected",
        "the question is too long",
    )


async def test_nothing_is_sent_when_the_budget_does_not_allow_it() -> None:
    sink = RecordingSink()
    sink.refuse = BudgetExceeded("Today's budget is used up.")
    outcome, llm = await run(ANSWER, sink=sink)
    assert (outcome.status, outcome.error_code) == ("failed", "budget_exceeded")
    assert llm.requests == []
    assert sink.ends == []


async def test_a_fault_of_our_own_fails_the_run_once_without_its_inside() -> None:
    def bug(_: Any) -> ScriptedReply:
        raise KeyError("inside")

    sink = RecordingSink()
    outcome, _ = await run(bug, sink=sink)
    assert (outcome.status, outcome.error_code) == ("failed", "internal_error")
    assert "inside" not in (outcome.error_message or "")
    assert sink.all_closed()


async def test_an_agent_with_an_unknown_tool_fails_with_that_reason() -> None:
    outcome, _ = await run(ANSWER, tool_names=("quotes", "crystal_ball"))
    assert (outcome.status, outcome.error_code) == ("failed", "unknown_tool")
    assert "crystal_ball" in (outcome.error_message or "")


# --- many runs ------------------------------------------------------------------------------------


async def test_runs_at_the_same_time_do_not_mix() -> None:
    runner = Runner(toolbox())

    async def one(n: int) -> tuple[int, RunOutcome]:
        llm = ScriptedLLM(
            [
                ScriptedReply(f"look {n}", (ask("c", symbol=f"S{n}"),), piece_characters=2),
                ScriptedReply(f"answer {n} " * 10, piece_characters=3),
            ]
        )
        return n, await runner.run(run_request(llm, question=f"q{n}"), RecordingSink())

    for n, outcome in await asyncio.gather(*map(one, range(30))):
        assert [piece.text for piece in outcome.pieces] == [f"look {n}", f"answer {n} " * 10]
        assert outcome.tool_calls[0].arguments == {"symbol": f"S{n}"}


async def test_one_graph_serves_all_runs_of_an_agent() -> None:
    runner = Runner(toolbox())
    await run(ANSWER, runner=runner)
    await run(ANSWER, runner=runner)
    assert len(runner._library._graphs) == 1
    other = msgspec.structs.replace(ANALYST, version=2)
    await run(ANSWER, runner=runner, agent=other)
    assert len(runner._library._graphs) == 2


async def test_a_slow_journal_holds_the_run_back() -> None:
    sink, gate = RecordingSink(), asyncio.Event()
    sink.room = gate.wait  # type: ignore[assignment]
    llm = ScriptedLLM([ANSWER])
    task = asyncio.create_task(Runner(toolbox()).run(run_request(llm), sink))
    done, _ = await asyncio.wait({task}, timeout=0.2)
    assert not done
    assert not sink.texts()
    gate.set()
    assert (await task).status == "finished"


async def test_nothing_is_traced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from langsmith import utils  # noqa: PLC0415 - LangChain takes a second to import

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    seen: list[object] = []

    def look(_: Any) -> ScriptedReply:
        seen.append(utils.tracing_is_enabled())
        return ANSWER

    await run(look)
    assert seen == [False]
