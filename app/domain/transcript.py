"""Read a run's journal back into what was said and done.

The same fold serves recovery after a crash (what had this run said when its process died?) and the
tests that compare what clients saw with what is stored.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from app.domain.runs import StoredEvent


class ToolTrace(msgspec.Struct):
    """One tool call as the events tell it."""

    call_id: str
    name: str
    arguments_json: str = ""
    ended: bool = False
    result: str | None = None
    status: str | None = None
    duration_ms: int = 0


class Piece(msgspec.Struct):
    """One text message as the events tell it."""

    message_id: str
    text: str = ""
    ended: bool = False


class Transcript(msgspec.Struct):
    """One run, folded."""

    pieces: list[Piece] = []
    tools: list[ToolTrace] = []
    steps_open: list[str] = []
    cards: list[dict[str, Any]] = []
    ended: bool = False
    last_seq: int = 0


def fold(events: Iterable[StoredEvent]) -> Transcript:
    """Return the transcript of one run's events, which must be in order."""
    transcript = Transcript()
    pieces: dict[str, Piece] = {}
    tools: dict[str, ToolTrace] = {}
    for stored in events:
        transcript.last_seq = stored.seq
        if stored.type == "TEXT_MESSAGE_CONTENT":
            pieces[stored.message_id or ""].text += stored.payload
            continue
        event = msgspec.json.decode(stored.payload)
        match stored.type:
            case "TEXT_MESSAGE_START":
                piece = Piece(message_id=event["messageId"])
                pieces[piece.message_id] = piece
                transcript.pieces.append(piece)
            case "TEXT_MESSAGE_END":
                pieces[event["messageId"]].ended = True
            case "TOOL_CALL_START":
                trace = ToolTrace(call_id=event["toolCallId"], name=event["toolCallName"])
                tools[trace.call_id] = trace
                transcript.tools.append(trace)
            case "TOOL_CALL_ARGS":
                tools[event["toolCallId"]].arguments_json += event["delta"]
            case "TOOL_CALL_END":
                tools[event["toolCallId"]].ended = True
            case "TOOL_CALL_RESULT":
                told = event.get("metadata", {}).get("outcry", {})
                trace = tools[event["toolCallId"]]
                trace.result = event["content"]
                trace.status = told.get("status", "success")
                trace.duration_ms = told.get("durationMs", 0)
            case "STEP_STARTED":
                transcript.steps_open.append(event["stepName"])
            case "STEP_FINISHED":
                if event["stepName"] in transcript.steps_open:
                    transcript.steps_open.remove(event["stepName"])
            case "ACTIVITY_SNAPSHOT":
                transcript.cards.append(event)
            case "RUN_FINISHED" | "RUN_ERROR":
                transcript.ended = True
    return transcript
