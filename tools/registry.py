"""The one door to tools: agents, REST and outside programs call `ToolBox.call`.

It knows which tools exist, keeps their time limit and turns whatever goes wrong into something a
model can read. It never shows a traceback to a model and never swallows a cancellation.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from tools.errors import TimedOut, ToolError, ToolFailed, UnknownTool
from tools.tool import Tool, ToolContext, ToolResult, ToolSpec

log = structlog.get_logger(__name__)


class ToolBox:
    """A fixed set of tools by name."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are called {tool.name!r}")
            self._tools[tool.name] = tool

    @property
    def names(self) -> tuple[str, ...]:
        """Every tool's name, in the order they were given."""
        return tuple(self._tools)

    def specs(self, names: Iterable[str] | None = None) -> tuple[ToolSpec, ...]:
        """Return what an LLM is told about the tools called `names` (all of them by default).

        Raises:
            UnknownTool: one of the names is no tool.
        """
        wanted = self.names if names is None else names
        return tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in map(self._find, wanted)
        )

    async def call(self, name: str, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Run one tool inside its time limit.

        Raises:
            ToolError: with a message the model can act on, whatever went wrong.
        """
        tool = self._find(name)
        try:
            async with asyncio.timeout(context.timeout_s) as deadline:
                return await tool(arguments, context)
        except ToolError:
            raise
        except Exception as error:
            if deadline.expired():
                log.warning("tool.timed_out", tool=name, timeout_s=context.timeout_s)
                raise TimedOut(
                    f"{name} did not answer within {context.timeout_s:g} seconds and was stopped."
                ) from error
            # The boundary: the operator gets the traceback, the model a sentence.
            log.exception("tool.failed", tool=name, principal_id=context.principal_id)
            raise ToolFailed(f"{name} failed for a reason of its own; it was logged.") from error

    def _find(self, name: str) -> Tool:
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            raise UnknownTool(f"There is no tool called {name!r}. Tools: {known}.")
        return tool
