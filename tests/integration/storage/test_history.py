"""What an agent reads of a conversation: the newest turns, in the same time however long it is."""

import json
from datetime import timedelta
from typing import Any, Literal

import pytest

from agents.messages import Message
from app.domain.ids import ConversationId, MessageId, RunId, new_id
from app.domain.journal import Batch, NewMessage, NewToolCall
from app.domain.principal import Principal
from app.domain.runs import StartedRun
from app.storage import runs as runs_module
from app.storage.journal_store import PostgresJournal
from tests.integration.storage.desk import NOW, Desk, ask


async def answer(
    desk: Desk, started: StartedRun, *pieces: str, after_s: float, tool: str | None = None
) -> None:
    """End a run as the services do: pieces of text, the tool calls on the last of them."""
    run = started.run
    ids = [MessageId(new_id()) for _ in pieces]
    messages = [
        NewMessage(
            id=message_id,
            conversation_id=run.conversation_id,
            run_id=run.id,
            parent_id=run.user_message_id,
            role="assistant",
            content=text,
            timestamp=NOW + timedelta(seconds=after_s),
        )
        for message_id, text in zip(ids, pieces, strict=True)
    ]
    calls = []
    if tool is not None:
        calls = [
            call(run.id, ids[-1], 0, tool, {"data": {"close": 806.19}}, "success"),
            call(run.id, ids[-1], 1, "news", {"error": "gone"}, "failure"),
        ]
    async with PostgresJournal(desk.database) as journal:
        await journal.write(Batch(messages=messages, tool_calls=calls))
    await desk.database.execute("UPDATE runs SET status = 'finished' WHERE id = $1", run.id)


def call(
    run_id: RunId,
    message_id: MessageId,
    position: int,
    name: str,
    output: dict[str, Any],
    status: Literal["success", "failure"],
) -> NewToolCall:
    return NewToolCall(
        id=new_id(),
        message_id=message_id,
        run_id=run_id,
        position=position,
        call_id=f"call-{position}",
        tool_name=name,
        input={"symbol": "GOOG"},
        output=output,
        duration_ms=1,
        status=status,
    )


async def history(desk: Desk, started: StartedRun, *, max_turns: int = 10) -> list[Message]:
    run = started.run
    return await desk.runs.history(run.conversation_id, before_run=run.id, max_turns=max_turns)


async def test_a_turn_is_question_tool_requests_results_and_the_last_piece(
    desk: Desk, ann: Principal
) -> None:
    first = await desk.start(ask("How does GOOG look?"), ann)
    await answer(desk, first, "Let me see.", "At 806.19.", after_s=1, tool="quotes")
    second = await desk.start(ask("and MSFT?", first.run.conversation_id), ann, after_s=2)

    said = await history(desk, second)

    assert [message.role for message in said] == ["user", "assistant", "tool", "tool", "assistant"]
    assert said[0].content == "How does GOOG look?"
    requests = [(r.id, r.name, r.arguments) for r in said[1].tool_requests]
    assert requests == [
        ("call-0", "quotes", {"symbol": "GOOG"}),
        ("call-1", "news", {"symbol": "GOOG"}),
    ]
    assert json.loads(said[2].content) == {"data": {"close": 806.19}}
    assert (said[3].content, said[3].failed, said[3].tool_request_id) == ("gone", True, "call-1")
    assert said[4].content == "At 806.19."
    assert await history(desk, first) == []


async def test_only_the_newest_turns_come_and_questions_without_answer_do_not(
    desk: Desk, ann: Principal
) -> None:
    conversation_id = ConversationId(new_id())
    for n in range(6):
        started = await desk.start(ask(f"question {n}", conversation_id), ann, after_s=10 * n)
        if n == 4:
            await desk.database.execute("UPDATE runs SET status = 'failed'")
        else:
            await answer(desk, started, f"answer {n}", after_s=10 * n + 5)
    last = await desk.start(ask("last", conversation_id), ann, after_s=100)

    assert [m.content for m in await history(desk, last, max_turns=3)] == [
        "question 3",
        "answer 3",
        "question 5",
        "answer 5",
    ]


async def test_what_was_superseded_is_not_read(desk: Desk, ann: Principal) -> None:
    first = await desk.start(ask("one"), ann)
    conversation_id = first.run.conversation_id
    await answer(desk, first, "answer one", after_s=1)
    second = await desk.start(ask("two", conversation_id), ann, after_s=2)
    await answer(desk, second, "answer two", after_s=3)
    again = await desk.start(
        ask(
            "",
            conversation_id,
            message_id=None,
            mode="regenerate",
            from_message_id=second.run.user_message_id,
        ),
        ann,
        after_s=4,
    )
    assert [m.content for m in await history(desk, again)] == ["one", "answer one"]
    await answer(desk, again, "better", after_s=5)
    third = await desk.start(ask("three", conversation_id), ann, after_s=6)

    said = [m.content for m in await history(desk, third)]

    assert said == ["one", "answer one", "two", "better"]


async def test_of_another_conversation_nothing_is_read(
    desk: Desk, ann: Principal, bob: Principal
) -> None:
    mine = await desk.start(ask("mine"), ann)
    await answer(desk, mine, "answer", after_s=1)
    his = await desk.start(ask("his"), bob, after_s=2)

    assert await history(desk, his) == []
    assert (
        await desk.runs.history(
            mine.run.conversation_id, before_run=RunId(his.run.id), max_turns=10
        )
        == []
    )


@pytest.mark.timeout(120)
async def test_reading_touches_as_many_pages_in_a_long_conversation_as_in_a_short_one(
    desk: Desk, ann: Principal
) -> None:
    touched = {}
    for turns in (20, 1_000):
        last = await conversation_of(desk, ann, turns)
        await desk.database.execute("ANALYZE messages")
        plan = await desk.database.fetchval(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + runs_module._HISTORY,
            last.run.conversation_id,
            last.run.id,
            10,
        )
        touched[turns] = json.loads(plan)[0]["Plan"]["Shared Hit Blocks"]
        assert len(await history(desk, last)) == 20

    assert touched[1_000] <= touched[20] * 1.5 + 10, touched


async def conversation_of(desk: Desk, ann: Principal, turns: int) -> StartedRun:
    first = await desk.start(ask("question 0"), ann)
    await answer(desk, first, "answer 0", after_s=1)
    async with desk.database.connection() as connection:
        await connection.copy_records_to_table(
            "messages",
            records=[
                (
                    new_id(),
                    first.run.conversation_id,
                    role,
                    f"{role} {n} " + "words " * 40,
                    NOW + timedelta(seconds=10 * n + (role == "assistant")),
                )
                for n in range(1, turns)
                for role in ("user", "assistant")
            ],
            columns=("id", "conversation_id", "role", "content", "timestamp"),
        )
    return await desk.start(ask("last", first.run.conversation_id), ann, after_s=10 * turns + 100)
