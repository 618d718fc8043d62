"""`AlertWriter`: opens the conversation of an alert that fired, without asking an LLM.

Like the built-in model it calls tools and writes from their results only: what happened, the
evidence, how such cases turned out before, and that one can ask. It costs nothing.
"""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from agents.llms.builtin.model import pieces
from agents.llms.builtin.plan import Call
from agents.llms.builtin.results import read_results
from agents.llms.builtin.write.alert import write_alert, write_withdrawal
from agents.llms.llm import LLMReply, LLMRequest, TextSink
from agents.messages import ToolRequest, Usage

MODEL = "outcry-alert-1"
LABEL = "built-in, keyless"


class AlertBrief(msgspec.Struct, frozen=True, kw_only=True):
    """What fired."""

    name: str
    symbol: str
    timeframe: str
    condition: dict[str, Any]
    description: str
    """The condition in words."""
    bar_time: datetime


class AlertWriter:
    """An LLM that has one thing to say. One per alert that fired."""

    def __init__(self, brief: AlertBrief, *, withdrawn: str | None = None) -> None:
        """`withdrawn`: why what fired should not have; then that is what is written."""
        self._brief = brief
        self._withdrawn = withdrawn

    @property
    def provider(self) -> str:
        return "builtin"

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Ask for the evidence, then tell."""
        results = read_results(request.messages)
        offered = {tool.name for tool in request.tools}
        calls = [] if results.items else [c for c in planned(self._brief) if c[0] in offered]
        if calls:
            return LLMReply(
                text="",
                tool_requests=tuple(
                    ToolRequest(id=f"alert-{index}", name=name, arguments=arguments)
                    for index, (name, arguments) in enumerate(calls, start=1)
                ),
                usage=Usage(input_tokens=1, output_tokens=1),
                finish_reason="tool_calls",
                model=MODEL,
            )
        brief = self._brief
        text = (
            write_withdrawal(
                results, symbol=brief.symbol, bar_time=brief.bar_time, because=self._withdrawn
            )
            if self._withdrawn is not None
            else write_alert(
            results, name=brief.name, symbol=brief.symbol, description=brief.description,
            bar_time=brief.bar_time, timeframe=brief.timeframe,
        ))  # fmt: skip
        for piece in pieces(text, words_each=12):
            on_text(piece)
            await asyncio.sleep(0)
        usage = Usage(input_tokens=1, output_tokens=len(text.split()))
        return LLMReply(text=text, usage=usage, model=MODEL)

    async def aclose(self) -> None:
        """There is nothing to close."""


def planned(brief: AlertBrief) -> list[Call]:
    """Return the calls that make the evidence; those of days only where bars are days."""
    daily = brief.timeframe == "1d"
    moment = brief.bar_time
    at = moment.date().isoformat() if daily else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    record: dict[str, Any] = {"symbol": brief.symbol, "condition": brief.condition, "at": at}
    if not daily:
        return [("condition_record", {**record, "timeframe": brief.timeframe})]
    about = {"symbol": brief.symbol, "at": at}
    return [
        ("condition_record", record),
        ("indicators", about),
        ("signals", about),
        ("levels", about),
    ]


RECORD = ("condition_record",)
"""What it needs to tell of a withdrawal."""
TOOLS = ("condition_record", "indicators", "signals", "levels")
"""What the writer may be offered."""
