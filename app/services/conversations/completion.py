"""Turn how a run went into the rows that keep it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.runs import RunOutcome, ToolCallRecord
from app.domain.costs import Receipt
from app.domain.ids import MessageId, derived_id
from app.domain.journal import NewAttachment, NewClaim, NewMessage, NewToolCall, RunEnd
from app.domain.runs import Run
from app.domain.text import storable_json
from app.services.conversations.recorder import RunRecorder
from tools.tool import Card

_CARD_MIME = "application/vnd.outcry.card+json"
_TICK = timedelta(microseconds=1)


class Completion(msgspec.Struct, frozen=True):
    """The rows of one ended run."""

    rows: dict[str, list[Any]]
    """Fields of `Batch`."""
    answer_id: MessageId | None
    receipt: Receipt

    def told(self) -> dict[str, Any]:
        """Return the metadata of the run's last event."""
        receipt = self.receipt
        cost = {"amount": receipt.amount, "currency": receipt.currency, "priced": receipt.priced}
        return {
            "outcry": {
                "messageId": str(self.answer_id) if self.answer_id else None,
                "receipt": msgspec.to_builtins(receipt),
                "cost": cost,
            }
        }


def completion(
    run: Run, outcome: RunOutcome, *, recorder: RunRecorder, receipt: Receipt, now: datetime
) -> Completion:
    """Return the rows of `outcome`.

    The last piece of text is the answer: it carries the tool calls, claims and the cost. A run
    that called tools but never spoke gets an empty answer, so that the calls are kept. Written
    again, by this run or by whoever recovers it, the rows are the same and change nothing.
    """
    # The order of messages is that of their times, so they never stand before their question or
    # beside each other, whatever the clock did meanwhile.
    now = max(now, run.started_at + _TICK)
    usage = recorder.usage()
    total, priced = recorder.total()
    stopped = None if outcome.status == "finished" else outcome.status
    pieces = [(MessageId(piece.message_id), piece.text) for piece in outcome.pieces]
    if not pieces and outcome.tool_calls:
        pieces = [(MessageId(derived_id(run.id, "answer")), "")]
    answer_id = pieces[-1][0] if pieces else None
    messages = []
    parent = run.user_message_id
    for position, (message_id, text) in enumerate(pieces):
        is_answer = message_id == answer_id
        messages.append(
            NewMessage(
                id=message_id,
                conversation_id=run.conversation_id,
                run_id=run.id,
                parent_id=parent,
                role="assistant",
                content=text,
                timestamp=now + position * _TICK,
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
            _card(run, card, position, call.call_id, answer_id)
            for call in outcome.tool_calls
            for position, card in enumerate(call.cards)
        ]
        rows["claims"] = [NewClaim(message_id=answer_id, claim=claim) for claim in outcome.claims]
    return Completion(rows=rows, answer_id=answer_id, receipt=receipt)


def _tool_call(call: ToolCallRecord, position: int, run: Run, answer_id: MessageId) -> NewToolCall:
    return NewToolCall(
        id=derived_id(run.id, "call", position, call.call_id),
        message_id=answer_id,
        run_id=run.id,
        position=position,
        call_id=call.call_id,
        tool_name=call.name,
        # What an LLM or a tool came up with must not cost the whole run its end.
        input=storable_json(call.arguments),
        output=storable_json(call.output),
        duration_ms=call.duration_ms,
        status=call.status,
    )


def _card(run: Run, card: Card, position: int, call_id: str, answer_id: MessageId) -> NewAttachment:
    card_id = derived_id(run.id, "card", position, call_id)
    content = {**card.content, "toolCallId": call_id}
    body = storable_json({"activityType": card.activity_type, "content": content})
    return NewAttachment(
        id=card_id,
        message_id=answer_id,
        type="chart",
        url=f"/api/v1/messages/{answer_id}/attachments/{card_id}",
        mime_type=_CARD_MIME,
        size=len(msgspec.json.encode(body)),
        content=body,
    )
