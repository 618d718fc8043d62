"""Make the tool calls the LLM asked for, through the one door to tools.

Whatever goes wrong becomes a tool message that the LLM can read; nothing but cancellation leaves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from langchain.agents.middleware.types import AgentMiddleware, ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.types import Command

from agents.history import tool_text
from agents.runs import ToolCallRecord
from agents.state import current_run
from tools.errors import ToolError
from tools.registry import ToolBox
from tools.tool import ToolContext, ToolResult

log = structlog.get_logger(__name__)


class CallTools(AgentMiddleware):
    """Runs every tool call of the graph; LangChain's own tools are never used."""

    def __init__(self, toolbox: ToolBox) -> None:
        super().__init__()
        self._toolbox = toolbox

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage:
        state = current_run()
        call = request.tool_call
        if (written := state.asked[call["id"] or ""].malformed) is not None:
            return refused(
                request,
                f"The arguments were no JSON object, so {call['name']} was not called. "
                f"You wrote: {written[:500]}",
            )
        if call["name"] not in state.request.agent.tool_names:
            offered = ", ".join(state.request.agent.tool_names) or "none"
            return refused(
                request, f"There is no tool called {call['name']!r} here. Tools: {offered}."
            )
        limits = state.request.limits
        context = ToolContext(
            principal_id=state.request.principal_id,
            now=state.request.now,
            timeout_s=limits.tool_timeout_s,
        )
        clock = asyncio.get_running_loop().time
        began = clock()

        def took() -> int:
            return round((clock() - began) * 1000)

        try:
            result = await self._toolbox.call(call["name"], call["args"], context)
        except ToolError as error:
            return refused(request, error.message, duration_ms=took())
        except Exception:
            log.exception("tool.crashed", tool=call["name"], run_id=str(state.request.run_id))
            return refused(
                request, f"{call['name']} failed for a reason of its own.", duration_ms=took()
            )
        return _answered(request, result, took(), most=limits.max_result_characters)


def refused(request: ToolCallRequest, reason: str, *, duration_ms: int = 0) -> ToolMessage:
    """Return the answer to a call that was not, or could not be, carried out."""
    call = request.tool_call
    record = ToolCallRecord(
        call_id=call["id"] or "",
        name=call["name"],
        arguments=call["args"],
        output={"error": reason},
        duration_ms=duration_ms,
        status="failure",
    )
    return ToolMessage(
        content=reason,
        tool_call_id=call["id"] or "",
        name=call["name"],
        status="error",
        artifact=(record, reason),
    )


def _answered(
    request: ToolCallRequest, result: ToolResult, duration_ms: int, *, most: int
) -> ToolMessage:
    call = request.tool_call
    evidence = result.evidence()
    try:
        content = tool_text(evidence)
        # Cards travel and are stored as well, and only what can be written can be read again.
        msgspec.json.encode(result.cards)
    except (TypeError, ValueError, OverflowError, RecursionError):
        log.exception("tool.unwritable_result", tool=call["name"])
        return refused(
            request, f"{call['name']} gave a result that cannot be read.", duration_ms=duration_ms
        )
    if len(content) > most:
        return refused(
            request,
            f"The result has {len(content):,} characters, more than the {most:,} that can be "
            "read. Ask for less: a shorter period, fewer symbols or a lower limit.",
            duration_ms=duration_ms,
        )
    record = ToolCallRecord(
        call_id=call["id"] or "",
        name=call["name"],
        arguments=call["args"],
        output=evidence,
        duration_ms=duration_ms,
        status="success",
        cards=result.cards,
    )
    return ToolMessage(
        content=content,
        tool_call_id=call["id"] or "",
        name=call["name"],
        artifact=(record, result.summary),
    )
