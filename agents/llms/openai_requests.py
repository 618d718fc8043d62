"""Write a request as chat completions: the sending side of `openai.py`."""

import re
from typing import Any

import msgspec

from agents.llms.dialect import Dialect
from agents.llms.llm import LLMRequest
from agents.llms.wire import encode
from agents.messages import Message

_REASONING_MODEL = re.compile(r"^(o\d|gpt-5|gpt-6)")
"""These take no temperature but their own."""


def first_dialect(model: str, *, openai: bool) -> Dialect:
    """Return how to ask a model for the first time; `openai`: OpenAI itself."""
    if not openai:
        return Dialect()
    return Dialect(
        temperature=_REASONING_MODEL.match(model) is None, max_tokens="max_completion_tokens"
    )


def write_request(request: LLMRequest, dialect: Dialect) -> bytes:
    """Return the request's JSON."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": "system", "content": request.system},
            *map(_write_message, request.messages),
        ],
        "stream": True,
        dialect.max_tokens: request.max_output_tokens,
    }
    if dialect.stream_options:
        # Without this, most servers never tell what an answer cost.
        body["stream_options"] = {"include_usage": True}
    if dialect.temperature:
        body["temperature"] = request.temperature
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    return encode(body)


def _write_message(message: Message) -> dict[str, Any]:
    match message.role:
        case "tool":
            return {
                "role": "tool",
                "tool_call_id": message.tool_request_id or "",
                "content": message.content,
            }
        case "assistant" if message.tool_requests:
            return {
                "role": "assistant",
                "content": message.content or None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {
                            "name": call.name,
                            "arguments": msgspec.json.encode(call.arguments).decode(),
                        },
                    }
                    for call in message.tool_requests
                ],
            }
        case _:
            return {"role": message.role, "content": message.content}
