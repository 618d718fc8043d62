"""What a run looks like, drawn for a person and written for a pipe."""

import io
import json
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent
from app.terminal.render import PipeView, RunView, receipt_line

RECEIPT = {
    "amount": "0.0021",
    "currency": "USD",
    "priced": True,
    "estimated": False,
    "inputTokens": 800,
    "outputTokens": 1200,
    "durationMs": 1940,
    "provider": "openai",
}
CALL = {"toolCallId": "c1", "toolCallName": "quotes"}
RESULT = {
    "toolCallId": "c1",
    "content": "{}",
    "metadata": {"outcry": {"status": "success", "summary": "read [9] bars", "durationMs": 3}},
}
CLAIMS = {
    "name": "outcry.claims",
    "value": {
        "claims": [
            {"index": 1, "end": 8, "status": "supported", "value": 806.19, "unit": "USD",
             "label": "close", "tool": "quotes", "source": "a file", "asOf": "2013-03-01T00:00:00Z"}
        ]
    },
}  # fmt: skip


def stored(*events: tuple[str, Any]) -> list[StoredEvent]:
    conversation, run = ConversationId(uuid4()), RunId(uuid4())
    return [
        StoredEvent(
            conversation_id=conversation,
            run_id=run,
            seq=seq,
            type=kind,
            payload=told if isinstance(told, str) else json.dumps({"type": kind, **told}),
        )
        for seq, (kind, told) in enumerate(events, 1)
    ]


def finished(**more: Any) -> tuple[str, Any]:
    ended = {"outcome": {"type": "success"}, "metadata": {"outcry": {"receipt": RECEIPT}}}
    return ("RUN_FINISHED", {**ended, **more})


WHOLE = stored(
    ("STEP_STARTED", {"stepName": "thinking"}),
    ("TEXT_MESSAGE_START", {}),
    ("TEXT_MESSAGE_CONTENT", "I look."),
    ("TOOL_CALL_START", CALL),
    ("TOOL_CALL_RESULT", RESULT),
    ("TEXT_MESSAGE_START", {}),
    ("TEXT_MESSAGE_CONTENT", "**At "),
    ("TEXT_MESSAGE_CONTENT", "806** now."),
    ("CUSTOM", CLAIMS),
    finished(),
)


def drawn(events: list[StoredEvent], *, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=80, height=height, force_terminal=False)
    view = RunView(console)
    for event in events:
        view.show(event)
    view.close()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def piped(events: list[StoredEvent]) -> tuple[str, str]:
    out, err = Console(file=io.StringIO()), Console(file=io.StringIO())
    view = PipeView(out, err)
    for event in events:
        view.show(event)
    view.close()
    assert isinstance(out.file, io.StringIO)
    assert isinstance(err.file, io.StringIO)
    return out.file.getvalue(), err.file.getvalue()


def test_a_person_sees_tools_answer_evidence_and_receipt_in_order() -> None:
    shown = drawn(WHOLE)
    parts = ["I look.", "✓ quotes  read [9] bars", "At 806¹ now.", "close 806.19 USD", "a file"]
    positions = [shown.index(part) for part in [*parts, "0.0021 USD · 2,000 tokens · 1.9 s"]]
    assert positions == sorted(positions)


def test_a_pipe_gets_the_answer_alone_and_the_rest_goes_beside_it() -> None:
    out, err = piped(WHOLE)
    assert out.splitlines() == [
        "I look.",
        "**At 806[^1]** now.",
        "",
        "[^1]: close: 806.19 USD; tool quotes; a file; as of 2013-03-01.",
    ]
    assert "✓ quotes  read [9] bars" in err
    assert "0.0021 USD" in err


def test_long_lines_stay_whole_in_a_pipe() -> None:
    line = "word " * 100 + "end [not markup] :smile:"
    out, _ = piped(stored(("TEXT_MESSAGE_CONTENT", line), finished()))
    assert out == line + "\n"


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (("RUN_ERROR", {"message": "The provider [x] broke."}), "The provider [x] broke."),
        (finished(outcome={"type": "cancelled"}), "stopped"),
    ],
)
def test_an_answer_that_did_not_end_well_says_so_after_what_was_said(
    ending: tuple[str, Any], told: str
) -> None:
    events = stored(("TEXT_MESSAGE_CONTENT", "Half of"), ending)
    shown = drawn(events)
    assert shown.index("Half of") < shown.index(told)
    out, err = piped(events)
    assert (out, told in err) == ("Half of\n", True)


def test_a_failed_tool_tells_why() -> None:
    failed = {
        "toolCallId": "c1",
        "content": "There is no [XYZ].",
        "metadata": {"outcry": {"status": "failure", "durationMs": 1}},
    }
    shown = drawn(stored(("TOOL_CALL_START", CALL), ("TOOL_CALL_RESULT", failed), finished()))
    assert "✗ quotes  There is no [XYZ]." in shown


def test_what_grows_past_the_screen_shows_its_end() -> None:
    text = "\n\n".join(f"line {number}" for number in range(60))
    console = Console(file=io.StringIO(), width=40, height=12, force_terminal=True)
    view = RunView(console)
    assert isinstance(console.file, io.StringIO)
    view.show(stored(("TEXT_MESSAGE_CONTENT", text))[0])
    view._live.refresh()
    shown = console.file.getvalue()
    assert "line 59" in shown
    assert "line 3 " not in shown
    view.close()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "0.0021 USD · 2,000 tokens · 1.9 s · openai"),
        ({"amount": "0"}, "free · 2,000 tokens · 1.9 s · openai"),
        ({"priced": False}, "price unknown · 2,000 tokens · 1.9 s · openai"),
        ({"estimated": True}, "0.0021 USD · 2,000 tokens (estimated) · 1.9 s · openai"),
        ({"inputTokens": 0, "outputTokens": 0}, "nothing used · 1.9 s · openai"),
    ],
)
def test_the_receipt_is_one_line(changed: dict[str, Any], told: str) -> None:
    assert receipt_line({**RECEIPT, **changed}) == told
