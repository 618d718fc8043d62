"""The rows of an ended run: in order, the same whoever writes them, and always storable."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from agents.runs import RunOutcome, TextPiece, ToolCallRecord
from app.domain.costs import Receipt
from app.domain.ids import AgentId, ConversationId, MessageId, RunId, UserId, new_id
from app.domain.runs import Run
from app.domain.text import clean_json
from app.services.conversations.completion import Completion, completion
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recorder import RunRecorder
from tools.tool import Card

STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = Run(
    id=RunId(new_id()),
    conversation_id=ConversationId(new_id()),
    user_id=UserId(new_id()),
    agent_id=AgentId(new_id()),
    agent_version=1,
    status="running",
    user_message_id=MessageId(new_id()),
    started_at=STARTED,
)
RECEIPT = Receipt(
    amount="0.1",
    currency="USD",
    priced=True,
    estimated=False,
    input_tokens=1,
    output_tokens=1,
    cached_tokens=0,
    attempts=1,
    duration_ms=1,
    provider="p",
    model="m",
)


class NoLog:
    text = None
    wait_for_room = None


def call(call_id: str, **more: Any) -> ToolCallRecord:
    fields: dict[str, Any] = {
        "arguments": {"symbol": "GOOG"},
        "output": {"data": {"close": 1.0}},
        "cards": (Card("signal", {"n": 1}), Card("signal", {"n": 2})),
        **more,
    }
    return ToolCallRecord(call_id=call_id, name="quotes", duration_ms=1, status="success", **fields)


def rows_of(outcome: RunOutcome, *, now: datetime = STARTED + timedelta(seconds=5)) -> Completion:
    recorder = RunRecorder(NoLog(), RUN, PriceBook())  # type: ignore[arg-type]
    return completion(RUN, outcome, recorder=recorder, receipt=RECEIPT, now=now)


def said(*texts: str, calls: tuple[ToolCallRecord, ...] = ()) -> RunOutcome:
    # Ids against the order, as a client might see them after a clock went back.
    ids = sorted((new_id() for _ in texts), reverse=True)
    return RunOutcome(
        status="finished",
        pieces=tuple(TextPiece(id, text) for id, text in zip(ids, texts, strict=True)),
        tool_calls=calls,
    )


def test_pieces_keep_their_order_by_time_alone() -> None:
    messages = rows_of(said("one", "two", "three")).rows["messages"]
    times = [message.timestamp for message in messages]
    assert [message.content for message in messages] == ["one", "two", "three"]
    assert times == sorted(set(times))
    assert [m.parent_id for m in messages] == [RUN.user_message_id, *[m.id for m in messages[:2]]]


def test_an_answer_stands_after_its_question_though_the_clock_went_back() -> None:
    done = rows_of(said("one", "two"), now=STARTED - timedelta(hours=1))
    assert all(message.timestamp > STARTED for message in done.rows["messages"])
    [end] = done.rows["run_ends"]
    assert end.ended_at > STARTED


def test_written_twice_the_rows_have_the_same_ids_and_no_two_alike() -> None:
    for outcome in (said("one", calls=(call("a"), call("b"))), said(calls=(call("a"), call("a")))):
        first, second = rows_of(outcome), rows_of(outcome)
        assert first.answer_id == second.answer_id
        for table in ("messages", "tool_calls"):
            ids = [row.id for row in first.rows[table]]
            assert ids == [row.id for row in second.rows[table]]
            assert len(set(ids)) == len(ids) > 0
    cards = rows_of(said("one", calls=(call("a"), call("b")))).rows["attachments"]
    assert len({card.id for card in cards}) == 4


def test_what_no_database_takes_is_mended_instead_of_losing_the_run() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    hostile = call(
        "a",
        arguments={"limit": math.inf, "deep": deep, "t\0": "\ud800"},
        output={"data": {"close": math.nan, "open": 2.5}},
        cards=(Card("signal", {"nan": math.nan, "text": "\ud800"}),),
    )
    rows = rows_of(said("one", calls=(hostile,))).rows
    [stored], [card] = rows["tool_calls"], rows["attachments"]
    for value in (stored.input, stored.output, card.content):
        assert clean_json(value) == value
        msgspec.json.encode(value)
    assert stored.output == {"data": {"close": None, "open": 2.5}}
    assert stored.input["limit"] is None
    assert card.size == len(msgspec.json.encode(card.content))
