"""Every event we send is an AG-UI 1.0 event, before and after our `seq` is spliced in."""

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from ag_ui.core import Event as AguiEvent
from ag_ui.core import RunAgentInput, TextPart, UserMessage
from pydantic import TypeAdapter

from agents import events
from agents.messages import Usage
from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent
from app.gateway.translate import event_frame
from app.protocol.codec import FRAME_TYPES, decode
from app.protocol.frames import RefusedCommand, Run

THREAD, RUN = ConversationId(uuid4()), RunId(uuid4())
RECEIPT = {"outcry": {"messageId": "m", "receipt": {"amount": "0.0021", "currency": "USD"}}}
SAMPLES: list[Any] = [
    events.RunStarted(
        thread_id=str(THREAD),
        run_id=str(RUN),
        protocol_version="1.0",
        input={
            "threadId": str(THREAD),
            "runId": str(RUN),
            "state": {},
            "messages": [{"id": "u", "role": "user", "content": "How does GOOG look?"}],
            "tools": [],
            "context": [],
            "forwardedProps": {"outcry": {"mode": "answer"}},
        },
    ),
    events.RunFinished(
        thread_id=str(THREAD),
        run_id=str(RUN),
        outcome={"type": "success"},
        usage=[events.usage_entry(provider="openai", model="m", usage=Usage(10, 5, 2, 1, 1))],
        metadata=RECEIPT,
    ),
    events.RunFinished(thread_id=str(THREAD), run_id=str(RUN), outcome={"type": "cancelled"}),
    events.RunError(message="It failed.", code="llm_unavailable", metadata=RECEIPT),
    events.RunError(message="It failed.", code="interrupted"),
    events.StepStarted(step_name="reading 500 bars of GOOG"),
    events.StepFinished(step_name="reading 500 bars of GOOG"),
    events.TextStarted(message_id="m"),
    events.TextEnded(message_id="m"),
    events.ToolCallStarted(tool_call_id="t", tool_call_name="quotes", parent_message_id="m"),
    events.ToolCallStarted(tool_call_id="t", tool_call_name="quotes"),
    events.ToolCallArgs(tool_call_id="t", delta='{"symbol":"GOOG"'),
    events.ToolCallEnded(tool_call_id="t"),
    events.ToolCallResult(
        message_id="r",
        tool_call_id="t",
        content='{"data":{"close":806.19}}',
        metadata={"outcry": {"status": "success", "durationMs": 3, "summary": "read"}},
    ),
    events.ActivitySnapshot(
        message_id="a", activity_type="chart.candles", content={"toolCallId": "t", "bars": []}
    ),
    events.Custom(name="outcry.claims", value={"messageId": "m", "claims": []}),
    events.Custom(name="outcry.cost", value={"amount": "0", "currency": "USD", "priced": True}),
]

agui: TypeAdapter[Any] = TypeAdapter(AguiEvent)


def parsed(event: dict[str, Any]) -> dict[str, Any]:
    """Return `event` as AG-UI's own models understand it."""
    return dict(agui.validate_python(event).model_dump(by_alias=True, exclude_none=True))


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(sample) for sample in SAMPLES} == set(events.AnyEvent.__args__)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_an_event_is_agui_as_it_stands_and_as_it_is_sent(sample: Any) -> None:
    payload = msgspec.json.encode(sample).decode()
    stored = StoredEvent(THREAD, 42, RUN, json.loads(payload)["type"], payload)
    frame = json.loads(event_frame(stored))
    assert (frame["type"], frame["threadId"], frame["runId"], frame["seq"]) == (
        "event",
        str(THREAD),
        str(RUN),
        42,
    )
    before, sent = parsed(json.loads(payload)), parsed(frame["event"])
    assert sent["metadata"]["outcry"].pop("seq") == 42
    if not sent["metadata"]["outcry"]:
        del sent["metadata"]["outcry"]
    if not sent["metadata"]:
        del sent["metadata"]
    assert sent == before
    # Nothing of ours was dropped or renamed by their models.
    for name, value in json.loads(payload).items():
        assert before[name] == value or isinstance(value, dict | list)


def test_a_text_delta_is_agui_as_it_is_sent() -> None:
    stored = StoredEvent(THREAD, 3, RUN, "TEXT_MESSAGE_CONTENT", "806.19 ✓", "m")
    assert parsed(json.loads(event_frame(stored))["event"]) == {
        "type": "TEXT_MESSAGE_CONTENT",
        "messageId": "m",
        "delta": "806.19 ✓",
        "metadata": {"outcry": {"seq": 3}},
    }


def test_what_an_agui_client_sends_is_read_as_a_run() -> None:
    given = RunAgentInput(
        thread_id=str(THREAD),
        run_id="run_abc",
        state={},
        messages=[
            UserMessage(id="1", content="old"),
            UserMessage(id="2", content=[TextPart(text="How does GOOG look?")]),
        ],
        tools=[],
        context=[],
        forwarded_props={"outcry": {"agentId": "analyst"}},
    )
    sent = given.model_dump(by_alias=True, exclude_none=True, mode="json")
    command = decode(json.dumps({"v": 1, "id": "c", "type": "run", "input": sent}))
    assert isinstance(command, Run)
    assert (command.thread_id, command.text, command.agent) == (
        THREAD,
        "How does GOOG look?",
        "analyst",
    )


def test_every_command_type_is_understood_by_the_codec() -> None:
    for kind in FRAME_TYPES:
        bad = decode(json.dumps({"v": 1, "id": "c", "type": kind, "unheardOf": 1}))
        assert not isinstance(bad, RefusedCommand)
        assert getattr(bad, "code", None) == "invalid"
