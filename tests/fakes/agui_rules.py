"""The order that AG-UI 1.0 asks of a run's events, as a client's verifier checks it.

Stricter than the newest clients in one thing, because older ones are: nothing but its own content
stands between the start and the end of a text message or of a tool call.
"""

from collections.abc import Iterable
from typing import Any

from ag_ui.core import Event
from pydantic import TypeAdapter

_WITHIN_TEXT = {
    "TEXT_MESSAGE_CONTENT",
    "TEXT_MESSAGE_END",
    "CUSTOM",
    "STEP_STARTED",
    "STEP_FINISHED",
}

_PARSER: TypeAdapter[Any] = TypeAdapter(Event)


class OutOfOrder(AssertionError):
    """An event stands where it must not."""


def verify(events: Iterable[dict[str, Any]]) -> None:
    """Check a whole run, from RUN_STARTED to its end.

    Raises:
        OutOfOrder: naming the event and the rule.
    """
    state = _State()
    for position, event in enumerate(events):
        _PARSER.validate_python(event)
        try:
            state.take(event)
        except OutOfOrder as error:
            raise OutOfOrder(f"event {position}, {event['type']}: {error}") from None
    if state.phase != "ended":
        raise OutOfOrder("the run never ended")


class _State:
    def __init__(self) -> None:
        self.phase = "new"
        self.text: str | None = None
        self.call: str | None = None
        self.seen: set[str] = set()
        self.calls: set[str] = set()
        self.answered: set[str] = set()
        self.steps: set[str] = set()

    def take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if self.phase == "ended":
            raise OutOfOrder("after the end of the run")
        if (self.phase == "new") != (kind == "RUN_STARTED"):
            raise OutOfOrder("RUN_STARTED comes first and only once")
        if self.text is not None and kind not in _WITHIN_TEXT:
            raise OutOfOrder(f"text message {self.text} is open")
        if self.call is not None and kind not in ("TOOL_CALL_ARGS", "TOOL_CALL_END"):
            raise OutOfOrder(f"tool call {self.call} is open")
        getattr(self, kind.lower(), self.other)(event)

    def run_started(self, _: dict[str, Any]) -> None:
        self.phase = "running"

    def text_message_start(self, event: dict[str, Any]) -> None:
        self.text = self.fresh(event["messageId"])

    def text_message_content(self, event: dict[str, Any]) -> None:
        if event["messageId"] != self.text:
            raise OutOfOrder("this message is not open")
        if not event["delta"]:
            raise OutOfOrder("an empty delta")

    def text_message_end(self, event: dict[str, Any]) -> None:
        if event["messageId"] != self.text:
            raise OutOfOrder("this message is not open")
        self.text = None

    def tool_call_start(self, event: dict[str, Any]) -> None:
        self.call = self.fresh(event["toolCallId"])
        self.calls.add(self.call)

    def tool_call_args(self, event: dict[str, Any]) -> None:
        if event["toolCallId"] != self.call:
            raise OutOfOrder("this tool call is not open")

    def tool_call_end(self, event: dict[str, Any]) -> None:
        self.tool_call_args(event)
        self.call = None

    def tool_call_result(self, event: dict[str, Any]) -> None:
        self.fresh(event["messageId"])
        if event["toolCallId"] not in self.calls - self.answered:
            raise OutOfOrder("no such tool call waits for a result")
        self.answered.add(event["toolCallId"])

    def activity_snapshot(self, event: dict[str, Any]) -> None:
        self.fresh(event["messageId"])

    def step_started(self, event: dict[str, Any]) -> None:
        if event["stepName"] in self.steps:
            raise OutOfOrder("this step is active already")
        self.steps.add(event["stepName"])

    def step_finished(self, event: dict[str, Any]) -> None:
        if event["stepName"] not in self.steps:
            raise OutOfOrder("this step is not active")
        self.steps.remove(event["stepName"])

    def run_finished(self, _: dict[str, Any]) -> None:
        if self.steps:
            raise OutOfOrder(f"steps are active: {self.steps}")
        if unanswered := self.calls - self.answered:
            raise OutOfOrder(f"tool calls have no result: {unanswered}")
        self.phase = "ended"

    def run_error(self, event: dict[str, Any]) -> None:
        self.run_finished(event)

    def custom(self, event: dict[str, Any]) -> None:
        if not event["name"].startswith("outcry."):
            raise OutOfOrder("a custom event that is not ours")

    def other(self, event: dict[str, Any]) -> None:
        raise OutOfOrder("runs do not send this")

    def fresh(self, id: str) -> str:
        if id in self.seen:
            raise OutOfOrder(f"{id} was used before")
        self.seen.add(id)
        return id
