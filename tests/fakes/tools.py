"""Small tools for agents to call."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from tools.errors import NoData
from tools.registry import ToolBox
from tools.tool import Card, ToolContext, ToolResult

LAST_BAR = datetime(2013, 3, 1, tzinfo=UTC)


class FakeQuotes:
    """Answers with one close, and a chart."""

    name = "quotes"
    description = "Read prices of one symbol."
    parameters: dict[str, Any] = {  # noqa: RUF012 - a constant
        "type": "object",
        "properties": {"symbol": {"type": "string"}},
        "additionalProperties": False,
    }

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.contexts: list[ToolContext] = []

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        self.calls.append(arguments)
        self.contexts.append(context)
        await asyncio.sleep(0)
        return ToolResult(
            data={"symbol": arguments.get("symbol"), "close": 806.19},
            summary="read 5 daily bars",
            source="demo set",
            as_of=LAST_BAR,
            units={"close": "USD"},
            cards=(Card("chart.candles", {"symbol": arguments.get("symbol")}),),
        )


class FailingTool:
    """Fails in the way it is told."""

    description = "Fails."
    parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012 - a constant

    def __init__(self, name: str = "signals", error: Exception | None = None) -> None:
        self.name = name
        self.error = error or NoData("There are no bars of XYZ.")

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        await asyncio.sleep(0)
        raise self.error


class MeetingTool:
    """Answers only once as many calls as it waits for are running at the same time."""

    name = "indicators"
    description = "Meets."
    parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012 - a constant

    def __init__(self, parties: int) -> None:
        self._barrier = asyncio.Barrier(parties)

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        await self._barrier.wait()
        return ToolResult(data=dict(arguments), summary="met", source="here")


class WaitingTool:
    """Never answers; remembers that it was cancelled."""

    name = "indicators"
    description = "Waits."
    parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012 - a constant

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.cancelled = False

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise AssertionError("nobody opens this")


def toolbox(*tools: Any) -> ToolBox:
    """Return a tool box of `tools`, by default `quotes` and a failing `signals`."""
    return ToolBox(tools or (FakeQuotes(), FailingTool()))
