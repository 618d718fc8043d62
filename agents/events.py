"""The events of a run: AG-UI 1.0, as values.

Each struct encodes with `msgspec.json` to exactly one AG-UI 1.0 event (`tests/contracts` parses
every one of them with the models of `ag-ui-protocol`). Text deltas have no struct on purpose: the
token path hands plain strings to `RunSink.text`.
"""

from typing import Any, Literal

import msgspec

from agents.messages import Usage


class Event(msgspec.Struct, frozen=True, tag_field="type", rename="camel", omit_defaults=True):
    """What every event shares."""


class RunStarted(Event, tag="RUN_STARTED", frozen=True):
    thread_id: str
    run_id: str
    protocol_version: str
    input: dict[str, Any]
    """The `RunAgentInput` as taken up: only the newest user message, if one came with it."""


class RunFinished(Event, tag="RUN_FINISHED", frozen=True):
    thread_id: str
    run_id: str
    outcome: dict[str, Any]
    """`{"type": "success" | "cancelled"}` (interrupts come with approvals)."""
    usage: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    """`{"outcry": {"cost": {amount, currency, priced}, "messageId", "durationMs", ...}}`"""


class RunError(Event, tag="RUN_ERROR", frozen=True):
    message: str
    code: str
    metadata: dict[str, Any] = {}


class StepStarted(Event, tag="STEP_STARTED", frozen=True):
    step_name: str


class StepFinished(Event, tag="STEP_FINISHED", frozen=True):
    step_name: str


class TextStarted(Event, tag="TEXT_MESSAGE_START", frozen=True):
    message_id: str
    role: Literal["assistant"] = "assistant"


class TextEnded(Event, tag="TEXT_MESSAGE_END", frozen=True):
    message_id: str


class ToolCallStarted(Event, tag="TOOL_CALL_START", frozen=True):
    tool_call_id: str
    tool_call_name: str
    parent_message_id: str | None = None


class ToolCallArgs(Event, tag="TOOL_CALL_ARGS", frozen=True):
    tool_call_id: str
    delta: str
    """A piece of the arguments' JSON text."""


class ToolCallEnded(Event, tag="TOOL_CALL_END", frozen=True):
    tool_call_id: str


class ToolCallResult(Event, tag="TOOL_CALL_RESULT", frozen=True):
    message_id: str
    tool_call_id: str
    content: str
    """JSON text of `ToolResult.evidence()`, or a plain sentence on failure."""
    role: Literal["tool"] = "tool"
    metadata: dict[str, Any] = {}
    """`{"outcry": {"status": "success" | "failure", "durationMs": int, "summary": str}}`"""


class ActivitySnapshot(Event, tag="ACTIVITY_SNAPSHOT", frozen=True):
    message_id: str
    activity_type: str
    """`chart.candles`, `signal` or `forecast`."""
    content: dict[str, Any]
    replace: bool = True


class Custom(Event, tag="CUSTOM", frozen=True):
    name: str
    """`outcry.claims` or `outcry.cost`."""
    value: Any


AnyEvent = (
    RunStarted
    | RunFinished
    | RunError
    | StepStarted
    | StepFinished
    | TextStarted
    | TextEnded
    | ToolCallStarted
    | ToolCallArgs
    | ToolCallEnded
    | ToolCallResult
    | ActivitySnapshot
    | Custom
)


def usage_entry(*, provider: str, model: str, usage: Usage) -> dict[str, Any]:
    """Return one entry for `RUN_FINISHED.usage` in AG-UI's `TokenUsage` shape."""
    entry: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }
    parts = {
        "reasoningTokens": usage.reasoning_tokens,
        "cachedInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
    entry.update({name: count for name, count in parts.items() if count})
    return entry
