"""Language models as models, over real sockets: what is asked, what is read, and what fails how."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import openai
import pytest

from inference.bundle import Member
from inference.errors import (
    BadInput,
    BadModel,
    DeadlineExceeded,
    InferenceError,
    ModelFailed,
    Overloaded,
    WorkerLost,
)
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.connections import Connection
from inference.runtimes.runtime import Loaded, Outputs
from tests.fakes.llm_models import Decide, FakeModelServer, Reply

KEY = "sk-secret-0123456789"
ANSWER = {
    "up": {"type": "number", "minimum": 0, "maximum": 1, "description": "probability of a rise"},
    "tone": {"type": "choice", "among": ["negative", "neutral", "positive"]},
    "why": {"type": "text"},
}
GOOD = {"up": 0.61, "tone": "positive", "why": "profits rose"}
ROWS = Rows(
    ("rsi",), np.array([[55.5], [np.nan]]), {"headline": ("profit up", "a {rsi} of braces")}
)

Opening = Callable[..., AbstractAsyncContextManager[tuple[Loaded, FakeModelServer]]]


def member(style: Any, **options: Any) -> Member:
    told = {
        "model": "thinker-1",
        "system": "You judge news.",
        "prompt": "Headline: {headline}\nRSI: {rsi}",
        "answer": ANSWER,
        **options,
    }
    return Member(name="judge", runtime=style, options=told)


@pytest.fixture(params=["openai", "anthropic"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Return a function that opens a server and the model that asks it."""

    @asynccontextmanager
    async def open_both(
        decide: Decide | Reply, **options: Any
    ) -> AsyncIterator[tuple[Loaded, FakeModelServer]]:
        deciding = decide if callable(decide) else lambda _: decide
        async with FakeModelServer(request.param, deciding).serving() as server:
            runtime = runtime_for(
                request.param, connections=lambda _: Connection(server.url, api_key=KEY)
            )
            loaded = runtime.load(tmp_path, member(request.param, **options), device="cpu")
            try:
                yield loaded, server
            finally:
                await asyncio.to_thread(loaded.close)

    return open_both


async def run(loaded: Loaded, rows: Rows = ROWS) -> Outputs:
    return await asyncio.to_thread(loaded.run, rows)


async def test_numbers_choices_and_a_text_become_outputs(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, _):
        outputs = await run(loaded)
    assert outputs.columns is not None
    assert outputs.columns.tolist() == [[0.61, 0.0, 0.0, 1.0]] * 2
    assert outputs.texts == ("profits rose", "profits rose")


async def test_each_row_is_asked_about_once_with_its_own_values(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, server):
        await run(loaded)
    asked = sorted(request["messages"][-1]["content"] for request in server.requests)
    assert asked == [
        "Headline: a {rsi} of braces\nRSI: unknown",
        "Headline: profit up\nRSI: 55.5",
    ]
    assert {request["temperature"] for request in server.requests} == {0.0}
    assert {request["model"] for request in server.requests} == {"thinker-1"}


async def test_the_form_that_is_asked_for_accepts_good_answers_and_no_others(
    opening: Opening,
) -> None:
    async with opening(Reply(GOOD)) as (loaded, server):
        await run(loaded)
    request = server.requests[0]
    if server.style == "openai":
        assert request["response_format"]["json_schema"]["strict"] is True
        schema = request["response_format"]["json_schema"]["schema"]
    else:
        assert request["tool_choice"]["name"] == request["tools"][0]["name"]
        schema = request["tools"][0]["input_schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    assert checker.is_valid(GOOD)
    assert not checker.is_valid({**GOOD, "tone": "furious"})
    assert not checker.is_valid({**GOOD, "more": 1})
    assert not checker.is_valid({"up": 0.5})


async def test_the_key_goes_where_the_provider_reads_it(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, server):
        await run(loaded)
    headers = server.headers[0]
    if server.style == "openai":
        assert headers["Authorization"] == f"Bearer {KEY}"
    else:
        assert headers["x-api-key"] == KEY
        assert headers["anthropic-version"] == "2023-06-01"


async def test_what_was_used_is_summed(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, _):
        usage = (await run(loaded)).usage
    assert usage is not None
    assert (usage.model, usage.calls) == ("thinker-1", 2)
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (200, 40, 60)
    assert usage.is_complete


async def test_an_answer_that_does_not_tell_what_it_used_is_not_free(opening: Opening) -> None:
    async with opening(Reply(GOOD, usage=None)) as (loaded, _):
        usage = (await run(loaded)).usage
    assert usage is not None
    assert not usage.is_complete


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply({**GOOD, "up": 1.5}), ModelFailed, "up is 1.5, outside 0.0 to 1.0"),
        (Reply({**GOOD, "up": "high"}), ModelFailed, "up is 'high', no finite number"),
        (Reply({**GOOD, "up": True}), ModelFailed, "no finite number"),
        (Reply({**GOOD, "tone": "furious"}), ModelFailed, "'furious', none of"),
        (Reply({**GOOD, "why": 3}), ModelFailed, "why is no text"),
        (Reply({**GOOD, "why": "x" * 2001}), ModelFailed, "at most 2000 characters"),
        (Reply({"up": 0.5}), ModelFailed, r"answered \['up'\]"),
        (Reply("It will rise."), ModelFailed, "did not answer with JSON|in words"),
        (Reply(GOOD, finish="length"), ModelFailed, "cut off after 1024 tokens"),
        (Reply(GOOD, finish="refused"), ModelFailed, "refused to answer"),
        (Reply(raw=b"<html>"), ModelFailed, "did not answer with JSON"),
        (Reply(raw=b"{}"), ModelFailed, "in another form"),
        (Reply(raw=b"[1]"), ModelFailed, "in another form"),
        (Reply(raw=b"x" * (4 * 2**20 + 1)), ModelFailed, "longer than"),
        (Reply(status=401), BadModel, r"refuses the key \(401\)"),
        (Reply(status=404), BadModel, r"refuses the request \(404\): the server's own words"),
        (Reply(status=400), BadModel, "400"),
        (Reply(status=429, headers={"Retry-After": "7"}), Overloaded, "too busy"),
        (Reply(status=503), Overloaded, "too busy"),
        (Reply(status=500), WorkerLost, r"failed \(500\): the server's own words"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}), BadModel, "302"),
        (Reply(cut=True), WorkerLost, "cannot be reached"),
    ],
)
async def test_a_bad_answer_is_told_for_what_it_is(
    opening: Opening, reply: Reply, kind: type[InferenceError], says: str
) -> None:
    async with opening(reply) as (loaded, _):
        with pytest.raises(kind, match=says) as caught:
            await run(loaded)
    assert KEY not in str(caught.value)
    if isinstance(caught.value, Overloaded) and reply.headers:
        assert caught.value.retry_after_s == 7.0


async def test_a_provider_that_does_not_answer_is_given_up_in_time(opening: Opening) -> None:
    async with opening(Reply(hang=True), timeout_s=0.3) as (loaded, _):
        with pytest.raises(DeadlineExceeded, match=r"in 0\.3 s"):
            await run(loaded)


async def test_one_failure_ends_the_other_calls_and_the_model_goes_on(opening: Opening) -> None:
    def decide(prompt: str) -> Reply:
        return Reply(status=400) if "profit" in prompt else Reply(hang=True)

    async with opening(decide, timeout_s=30) as (loaded, server):
        with pytest.raises(BadModel):
            await run(loaded)
        server.decide = lambda _: Reply(GOOD)
        assert (await run(loaded)).columns is not None


async def test_no_more_rows_are_asked_about_at_once_than_allowed(opening: Opening) -> None:
    rows = Rows(("rsi",), np.zeros((9, 1)), {"headline": tuple("abcdefghi")})

    def decide(prompt: str) -> Reply:
        return Reply({**GOOD, "why": prompt.split("\n")[0]})

    async with opening(decide, parallel=3) as (loaded, server):
        outputs = await run(loaded, rows)
    assert server.most_at_once <= 3
    assert outputs.texts == tuple(f"Headline: {letter}" for letter in "abcdefghi")


async def test_a_row_from_before_the_knowledge_cutoff_is_refused_and_not_sent(
    opening: Opening,
) -> None:
    cutoff = {"knowledge_cutoff": "2025-06-01T00:00:00Z", "as_of_column": "as_of"}
    late, early = 1_780_000_000.0, 1_700_000_000.0
    async with opening(Reply(GOOD), prompt="{headline}", **cutoff) as (loaded, server):
        fine = Rows(("as_of",), np.array([[late]]), {"headline": ("x",)})
        assert (await run(loaded, fine)).columns is not None
        for wrong, says in ((early, "as of 2023-11-14"), (np.nan, "as of unknown")):
            rows = Rows(("as_of",), np.array([[late], [wrong]]), {"headline": ("x", "y")})
            with pytest.raises(BadInput, match=rf"row 1 is {says}.*up to 2025-06-01"):
                await run(loaded, rows)
        assert len(server.requests) == 1


async def test_rows_without_what_the_prompt_names_are_refused(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, server):
        with pytest.raises(BadInput, match="needs the column 'headline'"):
            await run(loaded, Rows(("rsi",), np.zeros((1, 1))))
        long = Rows(("rsi",), np.zeros((1, 1)), {"headline": ("x" * 20_001,)})
        with pytest.raises(BadInput, match="20001 characters; 20000 are allowed"):
            await run(loaded, long)
        assert server.requests == []


async def test_a_closed_model_says_so(opening: Opening) -> None:
    async with opening(Reply(GOOD)) as (loaded, _):
        await asyncio.to_thread(loaded.close)
        with pytest.raises(ModelFailed, match="was closed"):
            await run(loaded)


@pytest.mark.parametrize("style", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"answer": {}}, "no fields"),
        ({"answer": {"a": {"type": "text"}, "b": {"type": "text"}}}, "more than one text"),
        ({"answer": {"a": {"type": "poem"}}}, "poem"),
        ({"api_key": "sk-in-a-bundle"}, "unknown field `api_key`"),
        ({"knowledge_cutoff": "2025-06-01T00:00:00Z"}, "belong together"),
        ({"knowledge_cutoff": "2025-06-01T00:00:00", "as_of_column": "x"}, "time zone"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, style: str, options: dict[str, Any], says: str
) -> None:
    runtime = runtime_for(style, connections=lambda _: Connection("http://127.0.0.1:9"))
    with pytest.raises(BadModel, match=says):
        runtime.load(tmp_path, member(style, **options), device="cpu")


@pytest.mark.parametrize("style", ["openai", "anthropic"])
def test_a_connection_that_is_not_set_up_is_named(tmp_path: Path, style: str) -> None:
    with pytest.raises(BadModel, match="no connection 'elsewhere'"):
        runtime_for(style).load(tmp_path, member(style, connection="elsewhere"), device="cpu")


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    runtime = runtime_for("openai", connections=lambda _: Connection("http://127.0.0.1:9/v1"))
    loaded = runtime.load(tmp_path, member("openai"), device="cpu")
    with pytest.raises(WorkerLost, match="cannot be reached"):
        await run(loaded)
    loaded.close()


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Connection("http://127.0.0.1:9", api_key=KEY))


async def test_openais_own_client_reads_what_the_fake_server_says() -> None:
    async with FakeModelServer("openai", lambda _: Reply(GOOD)).serving() as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
            told = await client.chat.completions.create(
                model="thinker-1", messages=[{"role": "user", "content": "?"}]
            )
    assert told.choices[0].message.content is not None
    assert '"tone": "positive"' in told.choices[0].message.content
    assert told.usage is not None
    assert told.usage.prompt_tokens_details is not None
    assert told.usage.prompt_tokens_details.cached_tokens == 30
