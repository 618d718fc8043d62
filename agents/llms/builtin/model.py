"""`BuiltinLLM`: a chat model without a large model behind it.

It reads the question by grammar and a small embedding, asks the tools it is offered, and writes the
answer from what they gave and from nothing else. Same messages, same bytes.
"""

import asyncio
import re

from agents.llms.builtin import intents
from agents.llms.builtin.dialogue import understand
from agents.llms.builtin.plan import next_calls, settle
from agents.llms.builtin.results import read_results
from agents.llms.builtin.write import write
from agents.llms.llm import LLMReply, LLMRequest, TextSink
from agents.messages import Message, ToolRequest, Usage

MODEL = "outcry-builtin-1"
MOST_STEPS = 5
"""Rounds of tool calls in one turn; a question needs at most three."""

_PIECE = re.compile(r"\S+\s*|\s+")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class BuiltinLLM:
    """The keyless provider `builtin`."""

    def __init__(self, *, pace_s: float = 0.0) -> None:
        """`pace_s` waits so long after each piece of text: for demonstrations."""
        self._pace_s = pace_s

    @property
    def provider(self) -> str:
        return "builtin"

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Ask for tools, or stream the answer."""
        if not intents.is_ready():
            await asyncio.to_thread(intents.make_ready)
        newest = _newest_question(request.messages)
        questions = [
            message.content for message in request.messages[: newest + 1] if message.role == "user"
        ]
        turn = request.messages[newest + 1 :]
        results = read_results(turn)
        ask = settle(understand(questions), results)
        steps = sum(1 for message in turn if message.tool_requests)
        calls = []
        if steps < MOST_STEPS:
            calls = next_calls(ask, results, frozenset(tool.name for tool in request.tools))
        read = _count(request.system, *(message.content for message in request.messages))
        if calls:
            requests = tuple(
                ToolRequest(
                    id=f"builtin-{len(results.items) + index}", name=name, arguments=arguments
                )
                for index, (name, arguments) in enumerate(calls, start=1)
            )
            written = _count(*(f"{one.name} {one.arguments}" for one in requests))
            return LLMReply(
                text="",
                tool_requests=requests,
                usage=Usage(input_tokens=read, output_tokens=written),
                finish_reason="tool_calls",
                model=MODEL,
            )
        text = write(ask, results, frozenset(tool.name for tool in request.tools))
        await self._stream(text, on_text)
        return LLMReply(
            text=text,
            usage=Usage(input_tokens=read, output_tokens=_count(text)),
            model=MODEL,
        )

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _stream(self, text: str, on_text: TextSink) -> None:
        for piece in pieces(text):
            on_text(piece)
            await asyncio.sleep(self._pace_s)


def pieces(text: str, *, words_each: int = 3) -> list[str]:
    """Return `text` cut into phrases of a few words, as it would be spoken."""
    parts = _PIECE.findall(text)
    return [
        "".join(parts[start : start + words_each]) for start in range(0, len(parts), words_each)
    ]


def _newest_question(messages: tuple[Message, ...]) -> int:
    """Return where the newest user message stands; -1 when nobody has asked anything."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            return index
    return -1


def _count(*texts: str) -> int:
    """Count words and marks: about what a tokenizer would, and never 0."""
    return max(1, sum(len(_TOKEN.findall(text)) for text in texts))
