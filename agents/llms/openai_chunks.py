"""The chunks of a streamed chat completion: as the format says, and as servers really send them."""

import json
from typing import Any

import msgspec


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class Choice(msgspec.Struct, gc=False):
    delta: Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, gc=False):
    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    model: str | None = None
    error: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode


def lenient_chunk(value: Any) -> Chunk:
    """Return a chunk from plain JSON that strict decoding refused.

    Lone surrogates, contents in parts, arguments as objects and numbers as ids are all in use
    somewhere.

    Raises:
        ValueError: it is no chunk at all.
    """
    if not isinstance(value, dict):
        raise ValueError("no object")
    chunk = Chunk(error=value.get("error"))
    if isinstance(value.get("usage"), dict):
        chunk.usage = value["usage"]
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        delta = choices[0].get("delta")
        finish = choices[0].get("finish_reason")
        chunk.choices = [
            Choice(
                delta=_lenient_delta(delta) if isinstance(delta, dict) else None,
                finish_reason=finish if isinstance(finish, str) else None,
            )
        ]
    return chunk


def _lenient_delta(delta: dict[str, Any]) -> Delta:
    calls = delta.get("tool_calls")
    return Delta(
        content=_text_of(delta.get("content")),
        reasoning_content=_text_of(delta.get("reasoning_content")),
        refusal=_text_of(delta.get("refusal")),
        tool_calls=[_lenient_call(call) for call in calls if isinstance(call, dict)]
        if isinstance(calls, list)
        else None,
    )


def _lenient_call(call: dict[str, Any]) -> ToolCallDelta:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments)
    index = call.get("index")
    return ToolCallDelta(
        index=index if isinstance(index, int) else None,
        id=str(call["id"]) if call.get("id") is not None else None,
        function=Function(
            name=_text_of(function.get("name")),
            arguments=arguments if isinstance(arguments, str) else None,
        ),
    )


def _text_of(content: Any) -> str | None:
    """Return text given as a string, or as parts of which only the text ones are shown."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None
