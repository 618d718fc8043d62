"""What goes wrong on the wire comes out as one of our errors, and leaves nothing open."""

import asyncio
from typing import Any

import pytest

from agents.errors import (
    LLMError,
    LLMNotFound,
    LLMOverlong,
    LLMRateLimited,
    LLMRejected,
    LLMStalled,
    LLMUnauthorized,
    LLMUnavailable,
)
from agents.llms.deadlines import StreamTimeouts
from agents.llms.llm import StreamMeter
from tests.contracts.llms.asking import QUESTION
from tests.contracts.llms.conftest import KEY, Heard, Wired, wired_llm
from tests.fakes.llm_servers import Answer, FakeCall, FakeLLMServer

LONG = Answer(
    deltas=[f"word{n} " for n in range(6)],
    calls=[FakeCall("quotes", '{"symbol": "GOOG"}')],
)
EVENTS = [
    (style, position)
    for style in ("openai", "anthropic")
    for position in range(len(FakeLLMServer(style).events(LONG)))
]


@pytest.mark.parametrize(
    ("status", "error", "kind", "retryable"),
    [
        (401, {"message": "bad key"}, LLMUnauthorized, False),
        (403, {"message": "no"}, LLMUnauthorized, False),
        (404, {"message": "no such model"}, LLMNotFound, False),
        (400, {"message": "context too long"}, LLMRejected, False),
        (413, {"message": "too large"}, LLMRejected, False),
        (422, {"message": "bad field"}, LLMRejected, False),
        (302, {}, LLMRejected, False),
        (429, {"message": "slow down"}, LLMRateLimited, True),
        (429, {"message": "", "type": "insufficient_quota"}, LLMRejected, False),
        (500, {"message": "oops"}, LLMUnavailable, True),
        (503, {}, LLMUnavailable, True),
        (529, {"type": "overloaded_error", "message": "busy"}, LLMUnavailable, True),
    ],
)
async def test_a_status_becomes_its_error(
    wired: Wired, status: int, error: dict[str, Any], kind: type[LLMError], retryable: bool
) -> None:
    async with wired(Answer(status=status, error=error)) as (llm, _):
        with pytest.raises(kind) as caught:
            await llm.complete(QUESTION, Heard())
    assert caught.value.retryable is retryable
    assert caught.value.started is False
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_time_to_wait_is_read(
    wired: Wired, headers: dict[str, str], seconds: float | None
) -> None:
    async with wired(Answer(status=429, headers=headers)) as (llm, _):
        with pytest.raises(LLMRateLimited) as caught:
            await llm.complete(QUESTION, Heard())
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_the_key_never_appears_in_an_error(wired: Wired, status: int) -> None:
    error = {"message": f"you sent Authorization: Bearer {KEY}, twice: {KEY}"}
    async with wired(Answer(status=status, error=error)) as (llm, server):
        with pytest.raises(LLMError) as caught:
            await llm.complete(QUESTION, Heard())
        sent = {name.lower(): value for name, value in server.headers[0].items()}
    assert KEY in (sent.get("authorization", "") + sent.get("x-api-key", ""))
    assert KEY not in f"{caught.value} {caught.value!r}"
    assert KEY not in repr(llm)


@pytest.mark.parametrize(("style", "position"), EVENTS)
@pytest.mark.parametrize("fault", ["end", "reset", "cut_json", "garbage"])
async def test_a_stream_that_breaks_anywhere_says_whether_it_had_started(
    style: str, position: int, fault: Any
) -> None:
    answer = Answer(deltas=LONG.deltas, calls=LONG.calls, fault_after=position, fault=fault)
    heard = Heard()
    async with wired_llm(style, answer) as (llm, server):
        kinds = [kind for kind, _ in server.events(answer)]
        if position > kinds.index("finish"):
            # All of the answer has come: only the goodbye is missing.
            reply = await llm.complete(QUESTION, heard)
            assert reply.text == heard.text == "".join(LONG.deltas)
            assert reply.tool_requests[0].arguments == {"symbol": "GOOG"}
            return
        with pytest.raises(LLMUnavailable) as caught:
            await llm.complete(QUESTION, heard)
    shown = "".join(LONG.deltas)[: len(heard.text)]
    assert heard.text == shown
    assert caught.value.started is bool(heard.text)
    assert caught.value.streamed_characters >= len(heard.text)
    assert "Error" not in caught.value.message


@pytest.mark.parametrize("position", [0, 1, 2, 3])
async def test_an_error_inside_a_good_status_is_an_error(wired: Wired, position: int) -> None:
    error = {"type": "overloaded_error", "message": "busy"}
    answer = Answer(fault_after=position, fault="error", error=error)
    heard = Heard()
    async with wired(answer) as (llm, _):
        with pytest.raises(LLMUnavailable, match="busy") as caught:
            await llm.complete(QUESTION, heard)
    assert caught.value.started is bool(heard.text)


async def test_an_error_inside_a_stream_may_be_final(wired: Wired) -> None:
    error = {"type": "invalid_request_error", "message": "too long"}
    async with wired(Answer(fault_after=1, fault="error", error=error)) as (llm, _):
        with pytest.raises(LLMRejected):
            await llm.complete(QUESTION, Heard())


@pytest.mark.parametrize(
    ("timeouts", "position", "words"),
    [
        (StreamTimeouts(first_byte_s=0.05), 0, "nothing for 0.05 s"),
        (StreamTimeouts(idle_s=0.05), 2, "silent for 0.05 s"),
        (StreamTimeouts(total_s=0.05), 2, "longer than 0.05 s"),
    ],
)
async def test_silence_ends_at_its_deadline(
    wired: Wired, timeouts: StreamTimeouts, position: int, words: str
) -> None:
    answer = Answer(fault_after=position, fault="stall")
    heard = Heard()
    async with wired(answer, timeouts=timeouts) as (llm, server):
        with pytest.raises(LLMStalled, match=words) as caught:
            # A deadline that is not kept would end in the other error.
            await asyncio.wait_for(llm.complete(QUESTION, heard), 10)
        await asyncio.wait_for(server.left.wait(), 5)
    assert caught.value.started is bool(heard.text)
    assert caught.value.retryable


async def test_a_stream_that_keeps_sending_is_not_cut_off_for_silence(wired: Wired) -> None:
    slow = Answer(deltas=["slow "] * 40, chunking="byte")
    timeouts = StreamTimeouts(first_byte_s=5, idle_s=5, total_s=60)
    async with wired(slow, timeouts=timeouts) as (llm, _):
        reply = await llm.complete(QUESTION, Heard())
    assert reply.text == "slow " * 40


async def test_cancelling_closes_the_connection(wired: Wired) -> None:
    heard = Heard()
    started = asyncio.Event()

    def hear(delta: str) -> None:
        heard(delta)
        started.set()

    async with wired(Answer(gate=asyncio.Event())) as (llm, server):
        asking = asyncio.create_task(llm.complete(QUESTION, hear))
        await asyncio.wait_for(started.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(server.left.wait(), 5)
    assert heard.text


@pytest.mark.parametrize("said", ["words", "arguments"])
async def test_an_answer_without_end_is_cut_and_its_connection_closed(
    wired: Wired, said: str
) -> None:
    gate = asyncio.Event()  # what follows never comes: only our side can end this
    if said == "words":
        endless = Answer(deltas=["word " * 1_000] * 4, gate=gate)
    else:
        call = FakeCall("quotes", '{"symbol": "' + "G" * 20_000 + '"}')
        endless = Answer(deltas=[], calls=[call])
    heard = Heard()
    async with wired(endless) as (llm, server):
        with pytest.raises(LLMOverlong) as caught:
            await asyncio.wait_for(llm.complete(QUESTION, StreamMeter(heard, most=4_000)), 10)
        if said == "words":
            await asyncio.wait_for(server.left.wait(), 5)
        await _nothing_streams(server)
    assert caught.value.streamed_characters > 4_000
    assert caught.value.started is (said == "words")
    assert heard.text == ("word " * 4_000)[: len(heard.text)]


async def test_a_connection_is_used_again_after_a_whole_answer(wired: Wired) -> None:
    async with wired(Answer()) as (llm, server):
        for _ in range(5):
            await llm.complete(QUESTION, Heard())
        assert len(server.connections) == 1


async def test_nothing_leaks_over_many_broken_streams(wired: Wired) -> None:
    broken = [
        Answer(fault_after=n % 3, fault="reset" if n % 2 else "end", usage=None) for n in range(60)
    ]
    async with wired(*broken, Answer()) as (llm, server):
        for _ in broken:
            with pytest.raises(LLMUnavailable):
                await llm.complete(QUESTION, Heard())
        assert (await llm.complete(QUESTION, Heard())).text
        await _nothing_streams(server)
        assert sum(not c.is_closing() for c in server.connections if c is not None) <= 1


async def _nothing_streams(server: FakeLLMServer) -> None:
    async with asyncio.timeout(5):
        while server.streaming:  # noqa: ASYNC110 - the server's own count
            await asyncio.sleep(0.005)


async def test_nobody_at_the_address_is_unavailable(wired: Wired) -> None:
    async with wired(Answer()) as (llm, server):
        url = server.url
        llm._http.base_url = "http://127.0.0.1:1"  # type: ignore[attr-defined]
        with pytest.raises(LLMUnavailable, match=r"^\S.* cannot be reached: connection refused$"):
            await llm.complete(QUESTION, Heard())
        llm._http.base_url = url  # type: ignore[attr-defined]


async def test_a_web_page_instead_of_a_stream_asks_for_the_address(wired: Wired) -> None:
    async with wired(Answer(content_type="text/html")) as (llm, _):
        with pytest.raises(LLMRejected, match=r"is .* the right address"):
            await llm.complete(QUESTION, Heard())
