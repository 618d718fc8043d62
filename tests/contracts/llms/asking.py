"""Requests to ask with."""

from agents.llms.llm import LLMRequest
from agents.messages import Message, ToolRequest
from tools.tool import ToolSpec

QUOTES = ToolSpec(
    name="quotes",
    description="Read prices.",
    parameters={
        "type": "object",
        "properties": {"symbol": {"type": "string"}},
        "required": ["symbol"],
        "additionalProperties": False,
    },
)

QUESTION = LLMRequest(
    model="fake-1",
    system="You are an analyst.",
    messages=(Message(role="user", content="How does GOOG look?"),),
    tools=(QUOTES,),
    temperature=0.3,
    max_output_tokens=512,
)

AFTER_TOOLS = LLMRequest(
    model="fake-1",
    system="You are an analyst.",
    messages=(
        Message(role="user", content="How do GOOG and MSFT look?"),
        Message(
            role="assistant",
            content="I will look.",
            tool_requests=(
                ToolRequest("c1", "quotes", {"symbol": "GOOG"}),
                ToolRequest("c2", "quotes", {"symbol": "XXXX"}),
            ),
        ),
        Message(role="tool", content='{"close":806.19}', tool_request_id="c1"),
        Message(role="tool", content="no such symbol", tool_request_id="c2", failed=True),
        Message(role="assistant", content="GOOG closed at 806.19."),
        Message(role="user", content="and now?"),
    ),
    tools=(QUOTES,),
)
