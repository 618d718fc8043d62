"""One way to make each LLM say the same thing."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from agents.llms.anthropic import AnthropicLLM
from agents.llms.deadlines import StreamTimeouts
from agents.llms.llm import LLM
from agents.llms.openai import OpenAILLM
from agents.llms.scripted import ScriptedLLM, ScriptedReply
from agents.llms.tool_fragments import ToolFragments
from agents.messages import Usage
from tests.fakes.llm_servers import Answer, FakeLLMServer

KEY = "sk-secret-0123456789"

Making = Callable[..., AbstractAsyncContextManager[LLM]]
Wired = Callable[..., AbstractAsyncContextManager[tuple[LLM, FakeLLMServer]]]


@contextlib.asynccontextmanager
async def wired_llm(
    style: str, *answers: Answer, timeouts: StreamTimeouts | None = None
) -> AsyncIterator[tuple[LLM, FakeLLMServer]]:
    """Open a server with `answers` and an LLM that talks to it."""
    async with FakeLLMServer(style).serving() as server:  # type: ignore[arg-type]
        server.answers.extend(answers)
        llm: LLM
        if style == "openai":
            llm = OpenAILLM(base_url=server.url, api_key=KEY, timeouts=timeouts)
        else:
            llm = AnthropicLLM(base_url=server.url, api_key=KEY, timeouts=timeouts)
        try:
            yield llm, server
        finally:
            await llm.aclose()


@contextlib.asynccontextmanager
async def _scripted(*answers: Answer) -> AsyncIterator[LLM]:
    yield ScriptedLLM([_line(answer) for answer in answers], loop=True)


def _line(answer: Answer) -> ScriptedReply:
    calls = ToolFragments()
    for position, call in enumerate(answer.calls):
        calls.add(index=position, id=call.id, name=call.name, arguments=call.arguments)
    text = "".join(answer.deltas)
    told = answer.usage
    return ScriptedReply(
        text=text,
        tool_requests=calls.requests(),
        usage=None
        if told is None
        else Usage(
            input_tokens=told["input"],
            output_tokens=told["output"],
            cache_read_tokens=told.get("cached", 0),
        ),
        tells_usage=told is not None,
        piece_characters=5,
        # Tests that wait in the middle cancel; nothing waits for this long.
        pause_s=3600 if answer.gate is not None else 0,
        finish_reason="" if answer.finish == "stop" else answer.finish,
    )


@pytest.fixture(params=["openai", "anthropic", "scripted"])
def making(request: pytest.FixtureRequest) -> Making:
    """Return a function that opens an LLM which gives the answers it is told."""
    if request.param == "scripted":
        return _scripted

    @contextlib.asynccontextmanager
    async def make(*answers: Answer) -> AsyncIterator[LLM]:
        async with wired_llm(request.param, *answers) as (llm, _):
            yield llm

    return make


@pytest.fixture(params=["openai", "anthropic"])
def wired(request: pytest.FixtureRequest) -> Wired:
    """Return a function that opens an LLM with a wire, and the server at its other end."""

    def make(
        *answers: Answer, timeouts: StreamTimeouts | None = None
    ) -> AbstractAsyncContextManager[tuple[LLM, FakeLLMServer]]:
        return wired_llm(request.param, *answers, timeouts=timeouts)

    return make


class Heard(msgspec.Struct):
    """A TextSink that remembers."""

    deltas: list[str] = msgspec.field(default_factory=list)

    def __call__(self, delta: str) -> None:
        self.deltas.append(delta)

    @property
    def text(self) -> str:
        """Everything heard."""
        return "".join(self.deltas)
