"""Retrying: only what may be retried, only until it makes no sense, every attempt on the books."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from agents.errors import (
    BudgetExceeded,
    LLMError,
    LLMNotFound,
    LLMOverlong,
    LLMRateLimited,
    LLMRejected,
    LLMStalled,
    LLMUnauthorized,
    LLMUnavailable,
)
from agents.llms.attempts import Attempts, RetryPolicy, estimate_input_tokens
from agents.llms.llm import LLM, LLMReply, LLMRequest, TextSink
from agents.llms.scripted import ScriptedLLM, ScriptedReply
from agents.messages import Message, Usage
from tests.fakes.run_sink import RecordingSink
from tools.tool import ToolSpec

REQUEST = LLMRequest(model="m", system="s", messages=(Message("user", "q"),))
ANSWER = ScriptedReply("done", usage=Usage(7, 1))


class Pauses:
    """Spends no time, remembers what it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, error: LLMError, pause_s: float) -> None:
        self.seconds.append(pause_s)


def failing(*errors: LLMError, then: ScriptedReply = ANSWER) -> ScriptedLLM:
    return ScriptedLLM([*(ScriptedReply("", error=error) for error in errors), then])


async def attempt(
    llm: ScriptedLLM,
    *,
    sink: RecordingSink | None = None,
    left_s: float = 180,
    policy: RetryPolicy | None = None,
) -> tuple[LLMReply, Sequence[float]]:
    pauses = Pauses()
    attempts = Attempts(
        llm,
        sink or RecordingSink(),
        deadline=asyncio.get_running_loop().time() + left_s,
        policy=policy,
        waiting=pauses,
        jitter=lambda: 1.0,
    )
    reply = await attempts.complete(REQUEST, lambda _: None)
    return reply, pauses.seconds


@pytest.mark.parametrize("kind", [LLMUnavailable, LLMRateLimited, LLMStalled])
async def test_what_may_pass_is_tried_again_with_growing_pauses(kind: type[LLMError]) -> None:
    sink = RecordingSink()
    reply, pauses = await attempt(failing(kind("1"), kind("2")), sink=sink)
    assert reply.text == "done"
    assert pauses == [0.5, 1.0]
    assert [end.status for end in sink.ends] == ["failed", "failed", "succeeded"]
    assert [end.error_code for end in sink.ends] == [kind.code, kind.code, None]
    assert [end.usage for end in sink.ends] == [None, None, Usage(7, 1)]


async def test_the_third_failure_is_the_last() -> None:
    llm = failing(*(LLMUnavailable(str(n)) for n in range(5)))
    with pytest.raises(LLMUnavailable, match="2"):
        await attempt(llm)
    assert len(llm.requests) == 3


@pytest.mark.parametrize("kind", [LLMUnauthorized, LLMNotFound, LLMRejected])
async def test_what_will_not_pass_is_not_tried_again(kind: type[LLMError]) -> None:
    llm = failing(kind("no"))
    with pytest.raises(kind):
        await attempt(llm)
    assert len(llm.requests) == 1


async def test_what_has_been_shown_is_not_asked_for_again() -> None:
    sink = RecordingSink()
    llm = ScriptedLLM([ScriptedReply("half an ans", error=LLMUnavailable("gone")), ANSWER])
    with pytest.raises(LLMUnavailable):
        await attempt(llm, sink=sink)
    assert len(llm.requests) == 1
    assert sink.ends[0].streamed_characters == 11


async def test_a_provider_is_waited_for_as_long_as_it_asks() -> None:
    _, pauses = await attempt(failing(LLMRateLimited("slow", retry_after_s=12)))
    assert pauses == [12]


async def test_a_provider_that_asks_for_too_long_is_not_waited_for() -> None:
    with pytest.raises(LLMRateLimited):
        await attempt(failing(LLMRateLimited("slow", retry_after_s=31)))


async def test_no_pause_outlasts_the_run() -> None:
    with pytest.raises(LLMUnavailable):
        await attempt(failing(LLMUnavailable("busy")), left_s=0.4)


async def test_pauses_are_jittered() -> None:
    pauses = Pauses()
    attempts = Attempts(
        failing(LLMUnavailable("x")),
        RecordingSink(),
        deadline=asyncio.get_running_loop().time() + 60,
        waiting=pauses,
        jitter=lambda: 0.0,
    )
    await attempts.complete(REQUEST, lambda _: None)
    assert pauses.seconds == [0.25]


async def test_every_attempt_is_announced_before_it_is_sent() -> None:
    sink = RecordingSink()

    def announced(request: LLMRequest) -> ScriptedReply:
        assert len(sink.attempts) == len(llm.requests)
        return ANSWER

    llm = ScriptedLLM([announced])
    await attempt(llm, sink=sink)
    (told,) = sink.attempts.values()
    assert (told.provider, told.model, told.max_output_tokens) == ("scripted", "m", 4096)
    assert told.estimated_input_tokens > 0


async def test_a_refused_reservation_sends_nothing() -> None:
    sink = RecordingSink()
    sink.refuse = BudgetExceeded("empty")
    llm = failing()
    with pytest.raises(BudgetExceeded):
        await attempt(llm, sink=sink)
    assert (llm.requests, sink.ends) == ([], [])


async def test_a_cancelled_attempt_is_closed_once() -> None:
    sink = RecordingSink()
    llm = ScriptedLLM([ScriptedReply("x" * 100, piece_characters=10, pause_s=0.001)])
    heard = asyncio.Event()
    attempts = Attempts(llm, sink, deadline=asyncio.get_running_loop().time() + 60)
    task = asyncio.create_task(attempts.complete(REQUEST, lambda _: heard.set()))
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (end,) = sink.ends
    assert end.status == "cancelled"
    assert 10 <= end.streamed_characters < 100


async def test_a_bug_closes_the_attempt_too() -> None:
    def bug(_: LLMRequest) -> ScriptedReply:
        raise KeyError("bug")

    sink = RecordingSink()
    with pytest.raises(KeyError):
        await attempt(ScriptedLLM([bug]), sink=sink)
    assert [end.error_code for end in sink.ends] == ["internal_error"]


class Silent:
    """An LLM that does not stream."""

    provider = "silent"

    def __init__(self, says: str = "all at once") -> None:
        self._says = says

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        return LLMReply(text=self._says)

    async def aclose(self) -> None: ...


async def test_the_words_of_an_llm_that_does_not_stream_are_shown() -> None:
    sink, heard = RecordingSink(), list[str]()
    attempts = Attempts(Silent(), sink, deadline=asyncio.get_running_loop().time() + 60)
    await attempts.complete(REQUEST, heard.append)
    assert heard == ["all at once"]
    assert sink.ends[0].streamed_characters == 11


@pytest.mark.parametrize("streams", [True, False])
async def test_a_provider_that_never_ends_is_cut_and_what_it_said_is_kept(streams: bool) -> None:
    sink, heard = RecordingSink(), list[str]()
    endless = ScriptedReply("x" * 20_000, piece_characters=1_000)
    llm: LLM = ScriptedLLM([endless]) if streams else Silent("x" * 20_000)
    attempts = Attempts(llm, sink, deadline=asyncio.get_running_loop().time() + 60)
    request = msgspec.structs.replace(REQUEST, max_output_tokens=100)
    with pytest.raises(LLMOverlong):
        await attempts.complete(request, heard.append)
    assert sum(map(len, heard)) == (5_000 if streams else 20_000)
    (end,) = sink.ends
    assert (end.status, end.error_code) == ("failed", "llm_overlong")
    assert end.streamed_characters == sum(map(len, heard))


async def test_the_length_allowed_is_never_cut() -> None:
    request = msgspec.structs.replace(REQUEST, max_output_tokens=100)
    llm = ScriptedLLM([ScriptedReply("x" * 4_800)])
    attempts = Attempts(llm, RecordingSink(), deadline=asyncio.get_running_loop().time() + 60)
    assert len((await attempts.complete(request, lambda _: None)).text) == 4_800


def test_everything_that_is_sent_is_estimated() -> None:
    bare = estimate_input_tokens(REQUEST)
    tool = ToolSpec("quotes", "Reads prices.", {"type": "object"})
    more = LLMRequest(model="m", system="s", messages=REQUEST.messages, tools=(tool,))
    longer = LLMRequest(model="m", system="s " * 300, messages=REQUEST.messages)
    assert bare < estimate_input_tokens(more) < estimate_input_tokens(longer)
