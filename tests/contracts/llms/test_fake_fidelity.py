"""The OpenAI fake is true to the format: OpenAI's own client reads it."""

from typing import Any

import openai

from tests.contracts.llms.asking import AFTER_TOOLS
from tests.contracts.llms.conftest import Heard, wired_llm
from tests.fakes.llm_servers import Answer, FakeCall


def _strict(tools: list[Any]) -> list[Any]:
    """Return the tools as OpenAI's parsing stream wants them."""
    return [{**tool, "function": {**tool["function"], "strict": True}} for tool in tools]


async def test_openais_client_reads_the_same_from_the_fake() -> None:
    answer = Answer(
        deltas=["GOOG ", "closed."],
        calls=[FakeCall("quotes", '{"symbol": "GOOG"}', id="a")],
        usage=dict(input=10, output=5, cached=4),
    )
    async with wired_llm("openai", answer) as (llm, server):
        ours = await llm.complete(AFTER_TOOLS, Heard())
        asked = server.requests[0]
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            stream = client.chat.completions.stream(
                model=asked["model"],
                messages=asked["messages"],
                tools=_strict(asked["tools"]),
                stream_options=asked["stream_options"],
            )
            async with stream as events:
                theirs = await events.get_final_completion()
    choice = theirs.choices[0]
    assert choice.message.content == ours.text
    assert choice.finish_reason == ours.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    assert [(call.id, call.function.name) for call in calls] == [
        (call.id, call.name) for call in ours.tool_requests
    ]
    assert theirs.usage is not None
    assert ours.usage is not None
    assert theirs.usage.prompt_tokens == ours.usage.input_tokens
    details = theirs.usage.prompt_tokens_details
    assert details is not None
    assert details.cached_tokens == ours.usage.cache_read_tokens
