"""Turn how a run went into the rows that keep it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from agents.runs import RunOutcome, ToolCallRecord
from app.domain.costs import Receipt
from app.domain.ids import MessageId, new_id
from app.domain.journal import NewAttachment, NewClaim, NewMessage, NewToolCall, RunEnd
from app.domain.runs import Run
from app.services.recorder import RunRecorder

_CARD_MIME = "application/vnd.outcry.card+json"


class Completion(msgspec.Struct, frozen=True):
    """The rows of one ended run."""

    rows: dict[str, list[Any]]
    """Fields of `Batch`."""
    answer_id: MessageId | None


def completion(
    run: Run, outcome: RunOutcome, *, recorder: RunRecorder, receipt: Receipt, now: datetime
) -> Completion:
    """Return the rows of `outcome`.

    The last piece of text is the answer: it carries the tool calls, claims and the cost. A run
    that called tools but never spoke gets an empty answer, so that the calls are kept.
    """
    usage = recorder.usage()
    total, priced = recorder.total()
    stopped = None if outcome.status == "finished" else outcome.status
    pieces = [(MessageId(piece.message_id), piece.text) for piece in outcome.pieces]
    if not pieces and outcome.tool_calls:
        pieces = [(MessageId(new_id()), "")]
    answer_id = pieces[-1][0] if pieces else None
    messages = []
    parent = run.user_message_id
    for message_id, text in pieces:
        is_answer = message_id == answer_id
        messages.append(
            NewMessage(
                id=message_id,
                conversation_id=run.conversation_id,
                run_id=run.id,
                parent_id=parent,
                role="assistant",
                content=text,
                timestamp=now,
                tokens=usage.output_tokens if is_answer else 0,
                cost=total if is_answer and priced else None,
                stopped=stopped if is_answer else None,
            )
        )
        parent = message_id
    rows: dict[str, list[Any]] = {
        "messages": messages,
        "run_ends": [
            RunEnd(
                run_id=run.id,
                conversation_id=run.conversation_id,
                status=outcome.status,
                ended_at=now,
                usage=usage,
                receipt=receipt,
                error_code=outcome.error_code,
            )
        ],
    }
    if answer_id is not None:
        rows["tool_calls"] = [
            _tool_call(call, position, run, answer_id)
            for position, call in enumerate(outcome.tool_calls)
        ]
        rows["attachments"] = [
            _card(card.activity_type, card.content, call.call_id, answer_id)
            for call in outcome.tool_calls
            for card in call.cards
        ]
        rows["claims"] = [NewClaim(message_id=answer_id, claim=claim) for claim in outcome.claims]
    return Completion(rows=rows, answer_id=answer_id)


def _tool_call(call: ToolCallRecord, position: int, run: Run, answer_id: MessageId) -> NewToolCall:
    return NewToolCall(
        id=new_id(),
        message_id=answer_id,
        run_id=run.id,
        position=position,
        call_id=call.call_id,
        tool_name=call.name,
        input=call.arguments,
        output=call.output,
        duration_ms=call.duration_ms,
        status=call.status,
    )


def _card(
    activity_type: str, content: dict[str, Any], call_id: str, answer_id: MessageId
) -> NewAttachment:
    card_id: UUID = new_id()
    body = {"activityType": activity_type, "content": {**content, "toolCallId": call_id}}
    return NewAttachment(
        id=card_id,
        message_id=answer_id,
        type="chart",
        url=f"/api/v1/messages/{answer_id}/attachments/{card_id}",
        mime_type=_CARD_MIME,
        size=len(msgspec.json.encode(body)),
        content=body,
    )
