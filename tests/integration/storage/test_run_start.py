import asyncio
from datetime import timedelta

import msgspec
import pytest

from agents.messages import Usage
from app.domain.errors import Conflict, Invalid, NotFound, Unavailable
from app.domain.ids import ConversationId, MessageId, RunId, new_id
from app.domain.journal import Batch, RunEnd
from app.domain.principal import Principal
from app.domain.runs import StartedRun, StartRun, StoredEvent
from app.storage.engine import Database
from app.storage.journal_store import PostgresJournal
from app.storage.runs import StoredRuns
from tests.integration.storage.desk import NOW, Desk, ask


async def finish(desk: Desk, started: StartedRun, *, events: int = 3) -> None:
    run = started.run
    async with PostgresJournal(desk.database) as journal:
        await journal.write(
            Batch(
                events=[
                    StoredEvent(run.conversation_id, started.last_seq + n, run.id, "CUSTOM", "{}")
                    for n in range(1, events + 1)
                ],
                run_ends=[
                    RunEnd(
                        run_id=run.id,
                        conversation_id=run.conversation_id,
                        status="finished",
                        ended_at=run.started_at,
                        usage=Usage(),
                        receipt=None,
                    )
                ],
            )
        )


async def test_a_first_question_makes_a_titled_conversation_pinned_to_the_oldest_agent(
    desk: Desk, ann: Principal
) -> None:
    await desk.agent("younger")
    command = ask("How does GOOG look right now, and is that unusual for the season it is in?")

    started = await desk.start(command, ann)

    assert started.created
    assert (started.last_seq, started.agent.name) == (0, "analyst")
    assert started.question == command.content
    assert started.run.user_message_id == command.message_id
    row = await desk.database.fetchrow("SELECT * FROM conversations")
    assert row is not None
    assert row["title"] == "How does GOOG look right now, and is that unusual for the…"
    assert (row["user_id"], row["agent_version"]) == (ann.user_id, 1)
    assert await desk.database.fetchval("SELECT content FROM messages") == command.content


async def test_an_agent_can_be_named_or_given_by_id_and_must_be_able_to_work(
    desk: Desk, ann: Principal
) -> None:
    educator = await desk.agent("educator")
    await desk.agent("retired", status="disabled")

    assert (await desk.start(ask("a", agent="educator"), ann)).agent.id == educator
    assert (await desk.start(ask("b", agent=str(educator)), ann)).agent.id == educator
    with pytest.raises(NotFound):
        await desk.start(ask("c", agent="nobody"), ann)
    with pytest.raises(Conflict) as refused:
        await desk.start(ask("d", agent="retired"), ann)
    assert refused.value.code == "agent_disabled"
    assert await desk.database.fetchval("SELECT count(*) FROM conversations") == 2


async def test_a_conversation_stays_with_the_version_it_began_with(
    desk: Desk, ann: Principal
) -> None:
    first = await desk.start(ask("one"), ann)
    await finish(desk, first)
    await desk.database.execute(
        "UPDATE agents SET version = 2, config = jsonb_set(config, '{systemPrompt}', '\"new\"')"
    )

    second = await desk.start(ask("two", first.run.conversation_id), ann, after_s=1)

    assert second.agent == first.agent
    assert (await desk.start(ask("three"), ann)).agent.config.system_prompt == "new"


async def test_the_same_command_twice_is_one_run(desk: Desk, ann: Principal) -> None:
    command = ask("How does GOOG look?")
    first = await desk.start(command, ann)

    again = await desk.start(command, ann, after_s=5)

    assert (first.created, again.created) == (True, False)
    assert again.run == first.run
    assert again.question == first.question
    with pytest.raises(Conflict) as refused:
        await desk.start(
            msgspec.structs.replace(command, content="Buy!"), ann, command_hash=b"other"
        )
    assert refused.value.code == "idempotency_mismatch"


async def test_a_message_sent_again_under_another_command_id_is_the_same_run(
    desk: Desk, ann: Principal
) -> None:
    command = ask("How does GOOG look?")
    first = await desk.start(command, ann)
    await finish(desk, first)
    resent = msgspec.structs.replace(command, command_id="other", run_id=RunId(new_id()))

    again = await desk.start(resent, ann, after_s=5)

    assert not again.created
    assert again.run.id == first.run.id
    with pytest.raises(Conflict) as refused:
        await desk.start(msgspec.structs.replace(resent, content="Sell!"), ann, after_s=6)
    assert refused.value.code == "idempotency_mismatch"


async def test_the_same_command_on_twenty_sockets_at_once_is_one_run(
    desk: Desk, ann: Principal
) -> None:
    for conversation in range(5):
        command = ask(f"question {conversation}")

        answers = await asyncio.gather(*(desk.start(command, ann) for _ in range(20)))

        assert sum(answer.created for answer in answers) == 1
        assert {answer.run.id for answer in answers} == {command.run_id}
    assert await desk.database.fetchval("SELECT count(*) FROM runs") == 5
    assert await desk.database.fetchval("SELECT count(*) FROM messages") == 5


async def test_of_different_questions_at_once_one_is_answered(desk: Desk, ann: Principal) -> None:
    conversation_id = ConversationId(new_id())

    answers = await asyncio.gather(
        *(desk.start(ask(f"question {n}", conversation_id), ann) for n in range(12)),
        return_exceptions=True,
    )

    started = [answer for answer in answers if isinstance(answer, StartedRun)]
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (len(started), len(refused)) == (1, 11)
    assert {refusal.code for refusal in refused} == {"run_active"}
    assert await desk.database.fetchval("SELECT count(*) FROM messages") == 1


async def test_each_run_begins_exactly_after_the_events_of_the_run_before(
    desk: Desk, ann: Principal
) -> None:
    """Sockets race to start while runs end: nobody may see a stale sequence number."""
    conversation_id = ConversationId(new_id())
    heads: list[tuple[int, int]] = []

    async def socket(name: int) -> None:
        for turn in range(8):
            while True:
                try:
                    started = await desk.start(ask(f"{name}.{turn}", conversation_id), ann)
                except Conflict:
                    await asyncio.sleep(0)
                else:
                    break
            events = 1 + (name + turn) % 4
            heads.append((started.last_seq, events))
            await finish(desk, started, events=events)

    await asyncio.gather(*(socket(name) for name in range(4)))

    expected = 0
    for last_seq, events in sorted(heads):
        assert last_seq == expected
        expected += events
    stored = await desk.database.fetchval("SELECT count(*) FROM run_events")
    assert stored == expected


async def test_somebody_elses_conversation_reads_like_none_at_all(
    desk: Desk, ann: Principal, bob: Principal
) -> None:
    started = await desk.start(ask("mine"), ann)
    await finish(desk, started)
    asked_id = started.run.user_message_id
    said = []
    for conversation_id in (started.run.conversation_id, ConversationId(new_id())):
        for fields in ({"mode": "regenerate"}, {"mode": "edit"}):
            with pytest.raises(NotFound) as refused:
                await desk.start(ask("x", conversation_id, from_message_id=asked_id, **fields), bob)
            said.append((refused.value.code, refused.value.message))
    with pytest.raises(NotFound) as refused:
        await desk.start(ask("x", started.run.conversation_id), bob)
    said.append((refused.value.code, refused.value.message))
    assert len(set(said)) == 1
    assert await desk.runs.find(started.run.id, bob.user_id) is None
    assert await desk.runs.find(started.run.id, ann.user_id) is not None
    assert await desk.database.fetchval("SELECT count(*) FROM runs") == 1


async def test_ids_that_are_taken_are_refused_whoever_took_them(
    desk: Desk, ann: Principal, bob: Principal
) -> None:
    first = await desk.start(ask("mine"), ann)
    for fields in ({"run_id": first.run.id}, {"message_id": first.run.user_message_id}):
        with pytest.raises(Conflict) as refused:
            await desk.start(ask("x", **fields), bob)
        assert refused.value.code == "id_taken"
    assert await desk.database.fetchval("SELECT count(*) FROM conversations") == 1


async def test_regenerating_answers_the_same_question_and_hides_what_came_after(
    desk: Desk, ann: Principal
) -> None:
    first = await desk.start(ask("one"), ann)
    conversation_id = first.run.conversation_id
    await finish(desk, first)
    answer_id = MessageId(new_id())
    await add_answer(desk, conversation_id, answer_id, "answer one", after_s=1)
    second = await desk.start(ask("two", conversation_id), ann, after_s=2)
    await finish(desk, second)
    await add_answer(desk, conversation_id, MessageId(new_id()), "answer two", after_s=3)

    again = await desk.start(
        ask("", conversation_id, message_id=None, mode="regenerate", from_message_id=answer_id),
        ann,
        after_s=4,
    )

    assert again.question == "one"
    assert again.run.user_message_id == first.run.user_message_id
    assert await shown(desk) == ["one"]


async def test_editing_replaces_the_question_too(desk: Desk, ann: Principal) -> None:
    first = await desk.start(ask("one"), ann)
    conversation_id = first.run.conversation_id
    await finish(desk, first)
    await add_answer(desk, conversation_id, MessageId(new_id()), "answer one", after_s=1)

    edited = await desk.start(
        ask("better", conversation_id, mode="edit", from_message_id=first.run.user_message_id),
        ann,
        after_s=4,
    )

    assert edited.question == "better"
    assert await shown(desk) == ["better"]
    await finish(desk, edited)
    with pytest.raises(NotFound):
        await desk.start(
            ask("x", conversation_id, mode="edit", from_message_id=MessageId(new_id())), ann
        )


async def test_a_question_follows_the_last_answer_even_after_the_clock_was_set_back(
    desk: Desk, ann: Principal
) -> None:
    first = await desk.start(ask("one"), ann)
    conversation_id = first.run.conversation_id
    answer_id = MessageId(new_id())
    await add_answer(desk, conversation_id, answer_id, "part one", after_s=60)
    await add_answer(desk, conversation_id, MessageId(new_id()), "part two", after_s=61)
    await finish(desk, first)

    second = await desk.start(ask("two", conversation_id), ann, after_s=-3600)

    assert await shown(desk) == ["one", "part one", "part two", "two"]
    # What follows the run's beginning, as its answer does, follows its question too.
    assert second.run.started_at > NOW + timedelta(seconds=61)
    stored = await desk.runs.find(second.run.id, ann.user_id)
    assert stored == second.run
    history = await desk.runs.history(conversation_id, before_run=second.run.id, max_turns=5)
    assert [message.role for message in history] == ["user", "assistant"]
    await finish(desk, second)
    again = ask("", conversation_id, message_id=None, mode="regenerate", from_message_id=answer_id)
    assert (await desk.start(again, ann, after_s=-7200)).question == "one"
    assert await shown(desk) == ["one"]


async def test_attachments_are_kept_with_the_question_and_bad_ones_refused(
    desk: Desk, ann: Principal
) -> None:
    good = {"type": "file", "url": "upload:1", "mimeType": "text/csv", "size": 12}

    await desk.start(ask("read this", attachments=(good,)), ann)

    row = await desk.database.fetchrow("SELECT type, url, mime_type, size FROM attachments")
    assert row is not None
    assert tuple(row) == ("file", "upload:1", "text/csv", 12)
    for bad in ({**good, "type": "chart"}, {**good, "size": -1}, {**good, "url": None}, {}):
        with pytest.raises(Invalid):
            await desk.start(ask("read this", attachments=(bad,)), ann)


async def test_hostile_text_is_stored_as_text(desk: Desk, ann: Principal) -> None:
    hostile = "a\0b \ud800 ‮ \U0001f600 '; DROP TABLE runs; --"

    started = await desk.start(
        ask(hostile, command_id="c\0", session_id="s\ud800", agent=None), ann
    )

    assert started.question == "a\ufffdb \ufffd ‮ \U0001f600 '; DROP TABLE runs; --"
    assert await shown(desk) == [started.question]
    with pytest.raises(NotFound):
        await desk.start(ask("x", agent="\0\ud800"), ann)


async def test_a_full_disk_refuses_new_runs(desk: Desk, ann: Principal) -> None:
    def full() -> None:
        raise Unavailable("full", code="storage_full")

    async with Database(desk.database.connect_kwargs, ensure_room=full) as database:
        with pytest.raises(Unavailable) as refused:
            await StoredRuns(database).start(ask("x"), ann, command_hash=b"", owner="here", now=NOW)
    assert refused.value.code == "storage_full"


async def test_a_start_whose_answer_was_lost_finds_its_own_run(
    desk: Desk, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit happened, the connection died: the run must still be executed by this caller."""
    write = desk.database.write
    lost: list[str] = []

    async def lose_the_answer(sql: str, *arguments: object) -> object:
        rows = await write(sql, *arguments)
        if not lost:
            lost.append("once")
            raise Unavailable("gone", code="database_unavailable")
        return rows

    monkeypatch.setattr(desk.database, "write", lose_the_answer)
    command: StartRun = ask("How does GOOG look?")

    started = await desk.start(command, ann)

    assert started.created
    assert lost
    assert await desk.database.fetchval("SELECT count(*) FROM runs") == 1


async def add_answer(
    desk: Desk, conversation_id: ConversationId, message_id: MessageId, text: str, *, after_s: int
) -> None:
    await desk.database.execute(
        "INSERT INTO messages (id, conversation_id, role, content, timestamp)"
        " VALUES ($1, $2, 'assistant', $3, $4)",
        message_id,
        conversation_id,
        text,
        NOW + timedelta(seconds=after_s),
    )


async def shown(desk: Desk) -> list[str]:
    rows = await desk.database.fetch(
        "SELECT content FROM messages WHERE superseded_at IS NULL ORDER BY timestamp, id"
    )
    return [row["content"] for row in rows]
