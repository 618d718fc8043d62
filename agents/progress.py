"""What a run has said and done so far, told to its sink in an order every AG-UI client accepts.

Text messages, tool calls and steps are always closed before the run ends, and at any moment the
whole of it can be read as a `RunOutcome`: that is how a cancelled run keeps what was streamed.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog
from uuid_utils.compat import uuid7

from agents.citing import cite
from agents.claims import Claim, Evidence
from agents.events import (
    ActivitySnapshot,
    Custom,
    StepFinished,
    StepStarted,
    TextEnded,
    TextStarted,
    ToolCallArgs,
    ToolCallEnded,
    ToolCallResult,
    ToolCallStarted,
)
from agents.messages import Message, ToolRequest, Usage
from agents.runs import ModelUsage, RunOutcome, RunStatus, TextPiece, ToolCallRecord
from agents.sink import RunSink

log = structlog.get_logger(__name__)

_STOPPED = "It was stopped before it had finished."


class _OpenCall(msgspec.Struct):
    request: ToolRequest
    record: ToolCallRecord | None = None


class RunProgress:
    """One run's account. Made by whoever starts the run, who may read it whenever it ends."""

    def __init__(self) -> None:
        self._sink: RunSink | None = None
        self._open_id: str | None = None
        self._open_uuid: UUID | None = None
        self._parts: list[str] = []
        self._pieces: list[TextPiece] = []
        self._steps: dict[str, int] = {}
        self._calls: dict[str, _OpenCall] = {}
        self._usage: dict[tuple[str, str], Usage] = {}
        self._claims: tuple[Claim, ...] = ()
        self._closed = False
        self._history: Sequence[Message] = ()
        self.finish_reason = "stop"

    def begin(self, sink: RunSink) -> None:
        """Tell everything to `sink` from here on."""
        self._sink = sink

    def follow(self, history: Sequence[Message]) -> None:
        """Let the answer cite what earlier turns found out, too."""
        self._history = history

    # --- text: the hot path -------------------------------------------------------------------

    def text(self, delta: str) -> None:
        """Stream `delta`, opening a text message if none is open."""
        open_id = self._open_id
        if open_id is None:
            # Models like to begin with an empty line before they call tools: that is no message.
            delta = delta.lstrip()
            if not delta or self._closed:
                return
            open_id = self._open_text()
        self._parts.append(delta)
        self._sink.text(open_id, delta)  # type: ignore[union-attr]

    def _open_text(self) -> str:
        self._open_uuid = uuid7()
        self._open_id = str(self._open_uuid)
        self._emit(TextStarted(message_id=self._open_id))
        return self._open_id

    def end_text(self) -> str | None:
        """Close the open text message, if one is; return its id."""
        open_id = self._open_id
        if open_id is not None and self._open_uuid is not None:
            self._pieces.append(TextPiece(self._open_uuid, "".join(self._parts)))
            self._parts = []
            self._open_id = self._open_uuid = None
            self._emit(TextEnded(message_id=open_id))
        return open_id

    # --- steps --------------------------------------------------------------------------------

    def start_step(self, name: str) -> None:
        """Say what is happening; the same step begun twice at once is shown once."""
        running = self._steps.get(name, 0)
        self._steps[name] = running + 1
        if not running:
            self._emit(StepStarted(step_name=name))

    def end_step(self, name: str) -> None:
        """End a step that was started."""
        running = self._steps.pop(name, 0)
        if running > 1:
            self._steps[name] = running - 1
        elif running:
            self._emit(StepFinished(step_name=name))

    # --- tool calls ---------------------------------------------------------------------------

    def tool_requested(self, request: ToolRequest, *, parent: str | None) -> None:
        """Show that the LLM asked for a tool."""
        self._calls[request.id] = _OpenCall(request)
        arguments = request.malformed
        if arguments is None:
            arguments = msgspec.json.encode(request.arguments).decode()
        self._emit(
            ToolCallStarted(
                tool_call_id=request.id, tool_call_name=request.name, parent_message_id=parent
            )
        )
        self._emit(ToolCallArgs(tool_call_id=request.id, delta=arguments))
        self._emit(ToolCallEnded(tool_call_id=request.id))

    def tool_finished(self, record: ToolCallRecord, *, content: str, summary: str) -> None:
        """Show what a tool found out, or why it could not."""
        call = self._calls.get(record.call_id)
        if call is None or call.record is not None:
            return
        call.record = record
        told: dict[str, Any] = {
            "status": record.status,
            "durationMs": record.duration_ms,
            "summary": summary,
        }
        self._emit(
            ToolCallResult(
                message_id=str(uuid7()),
                tool_call_id=record.call_id,
                content=content,
                metadata={"outcry": told},
            )
        )
        for card in record.cards:
            self._emit(
                ActivitySnapshot(
                    message_id=str(uuid7()),
                    activity_type=card.activity_type,
                    content={**card.content, "toolCallId": record.call_id},
                )
            )

    # --- the end ------------------------------------------------------------------------------

    def add_usage(self, provider: str, model: str, usage: Usage) -> None:
        """Count the tokens of one attempt."""
        key = (provider, model)
        self._usage[key] = self._usage.get(key, Usage()) + usage

    def has_text(self) -> bool:
        """Tell whether anything was said."""
        return bool(self._pieces or self._parts)

    def close(self) -> None:
        """End whatever is open and tell the claims of the answer; later words are dropped.

        Called again it changes nothing.
        """
        if self._closed or self._sink is None:
            return
        self._closed = True
        self.end_text()
        for call in self._calls.values():
            if call.record is None:
                stopped = _stopped(call.request)
                self.tool_finished(stopped, content=_STOPPED, summary=_STOPPED)
        for step in tuple(self._steps):
            self._steps[step] = 1
            self.end_step(step)
        self._claim()

    def _claim(self) -> None:
        if not self._pieces:
            return
        answer = self._pieces[-1]
        try:
            self._claims = cite(answer.text, self.evidence(), self._history)
        except Exception:
            # The answer stands without its evidence; the operator learns why.
            log.exception("claims.failed", message_id=str(answer.message_id))
        if self._claims:
            self._emit(
                Custom(
                    name="outcry.claims",
                    value={
                        "messageId": str(answer.message_id),
                        "claims": msgspec.to_builtins(self._claims),
                    },
                )
            )

    def evidence(self) -> list[Evidence]:
        """Return the results of this run that the answer may cite."""
        return [
            Evidence(
                tool_call_id=record.call_id,
                tool=record.name,
                arguments=record.arguments,
                result=record.output,
            )
            for record in self.records()
            if record.status == "success"
        ]

    def records(self) -> tuple[ToolCallRecord, ...]:
        """Return every tool call, those cut short as failures."""
        return tuple(call.record or _stopped(call.request) for call in self._calls.values())

    def outcome(
        self,
        status: RunStatus,
        *,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> RunOutcome:
        """Return the run as it stands, ended as `status`."""
        self.close()
        return RunOutcome(
            status=status,
            pieces=tuple(self._pieces),
            tool_calls=self.records(),
            claims=self._claims,
            usage=sum(self._usage.values(), Usage()),
            usage_by_model=tuple(
                ModelUsage(provider, model, usage)
                for (provider, model), usage in self._usage.items()
            ),
            error_code=error_code,
            error_message=error_message,
            finish_reason=self.finish_reason,
        )

    def _emit(self, event: Any) -> None:
        if self._sink is not None:
            self._sink.emit(event)


def _stopped(request: ToolRequest) -> ToolCallRecord:
    return ToolCallRecord(
        call_id=request.id,
        name=request.name,
        arguments=request.arguments,
        output={"error": _STOPPED},
        duration_ms=0,
        status="failure",
    )
