import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from agents.claims.values import Claim
from agents.events import Custom
from agents.messages import Usage
from app.domain.costs import CostEntry
from app.domain.errors import NotFound
from app.domain.ids import AttemptId, MessageId, RunId, new_id
from app.domain.journal import (
    Batch,
    CostSettlement,
    NewAttachment,
    NewClaim,
    NewMessage,
    NewToolCall,
    RunEnd,
)
from app.domain.principal import Principal
from app.domain.runs import Run, StoredEvent
from app.services.conversations.journal import Journal
from app.storage import journal_store
from app.storage.engine import Database
from app.storage.journal_store import PostgresJournal, SequenceClash
from app.storage.orphans import Orphans
from tests.integration.storage.desk import NOW, Desk, ask

TABLES = (
    "run_events",
    "cost_entries",
    "messages",
    "tool_calls",
    "attachments",
    "claims",
    "runs",
    "conversations",
)


class Nobody:
    def publish(self, events: Sequence[StoredEvent]) -> None:
        pass


def event(run: Run, seq: int, payload: str = "{}", message_id: str | None = None) -> StoredEvent:
    return StoredEvent(run.conversation_id, seq, run.id, "CUSTOM", payload, message_id)


def reservation(run: Run, **fields: Any) -> CostEntry:
    given: dict[str, Any] = {
        "id": AttemptId(new_id()),
        "run_id": run.id,
        "conversation_id": run.conversation_id,
        "user_id": run.user_id,
        "agent_id": run.agent_id,
        "provider": "openai",
        "model": "m",
        "status": "reserved",
        "outcome": "pending",
        "usage": Usage(input_tokens=10),
        "reserved_usd": Decimal("0.5"),
        "amount_usd": None,
        "estimated": False,
        "latency_ms": 0,
        "created_at": NOW,
    }
    return CostEntry(**{**given, **fields})


def settlement(entry: CostEntry, amount: str) -> CostSettlement:
    return CostSettlement(
        id=entry.id,
        outcome="succeeded",
        usage=Usage(input_tokens=10, output_tokens=3),
        amount_usd=Decimal(amount),
        estimated=False,
        latency_ms=7,
        settled_at=NOW,
    )


def end(run: Run, status: Any = "finished", after_s: float = 1) -> RunEnd:
    return RunEnd(
        run_id=run.id,
        conversation_id=run.conversation_id,
        status=status,
        ended_at=NOW + timedelta(seconds=after_s),
        usage=Usage(),
        receipt=None,
    )


def answer(run: Run, text: str = "It rose.") -> NewMessage:
    return NewMessage(
        id=MessageId(new_id()),
        conversation_id=run.conversation_id,
        run_id=run.id,
        parent_id=run.user_message_id,
        role="assistant",
        content=text,
        timestamp=NOW + timedelta(seconds=1),
    )


def everything(run: Run, text: str = "It rose 5 %.") -> Batch:
    """A batch with a row of every kind, all of it holding `text`."""
    message, entry = answer(run, text), reservation(run, provider=text, model=text)
    return Batch(
        events=[event(run, 1), event(run, 2, text, text)],
        reservations=[entry],
        settlements=[msgspec.structs.replace(settlement(entry, "0.25"), error_code=text)],
        messages=[message],
        tool_calls=[
            NewToolCall(
                id=new_id(),
                message_id=message.id,
                run_id=run.id,
                position=0,
                call_id=text,
                tool_name=text,
                input={text: text},
                output={"data": [text]},
                duration_ms=3,
                status="success",
            )
        ],
        attachments=[NewAttachment(new_id(), message.id, "chart", text, text, 3, {text: [text]})],
        claims=[
            NewClaim(
                message.id,
                Claim(1, 8, 9, text, "supported", 5.0, text, text, text, text, text, NOW, text),
            )
        ],
        run_ends=[msgspec.structs.replace(end(run), error_code=text)],
    )


async def contents(database: Database) -> dict[str, list[str]]:
    """Everything in the tables a batch writes to, as text."""
    return {
        table: [
            row[0]
            for row in await database.fetch(
                f"SELECT row_to_json(t)::text AS line FROM {table} t ORDER BY line"
            )
        ]
        for table in TABLES
    }


async def payloads(database: Database) -> list[str]:
    rows = await database.fetch("SELECT payload FROM run_events ORDER BY conversation_id, seq")
    return [row[0] for row in rows]


@pytest.fixture
async def run(desk: Desk, ann: Principal) -> Run:
    return (await desk.start(ask("How does GOOG look?"), ann)).run


async def test_the_same_batch_twice_leaves_one_copy_of_everything(
    database: Database, run: Run
) -> None:
    batch = everything(run)
    async with PostgresJournal(database) as journal:
        await journal.write(batch)
        before = await contents(database)
        assert all(before.values())

        await journal.write(batch)

        assert await contents(database) == before
    async with PostgresJournal(database) as another:
        await another.write(batch)
    assert await contents(database) == before


async def test_events_alone_twice_leave_one_copy(database: Database, run: Run) -> None:
    batch = Batch(events=[event(run, 1, "a"), event(run, 2, "b", "m1")])
    async with PostgresJournal(database) as journal:
        await journal.write(batch)
        await journal.write(batch)
    assert await payloads(database) == ["a", "b"]


async def test_a_batch_that_overlaps_the_last_adds_only_what_is_new(
    database: Database, run: Run
) -> None:
    first, second, third = (event(run, seq, f"{seq}") for seq in (1, 2, 3))
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(events=[first, second]))
        await journal.write(Batch(events=[second, third]))
    assert await payloads(database) == ["1", "2", "3"]


@pytest.mark.parametrize("with_rows", [False, True])
@pytest.mark.parametrize(
    "difference", [{"payload": "{'other'}"}, {"type": "RUN_ERROR"}, {"message_id": "m2"}]
)
async def test_of_two_writers_of_one_run_the_second_is_told_and_stores_nothing(
    database: Database, run: Run, with_rows: bool, difference: dict[str, str]
) -> None:
    """Whichever comes first: the other's events must not vanish while its rows are kept."""
    plain = event(run, 1, "{}", "m1")
    other = msgspec.structs.replace(plain, **difference)
    for first, second in ((plain, other), (other, plain)):
        await database.execute("DELETE FROM run_events")
        async with PostgresJournal(database) as one, PostgresJournal(database) as two:
            await one.write(Batch(events=[first]))
            message = answer(run)
            with pytest.raises(SequenceClash):
                await two.write(Batch(events=[second], messages=[message] if with_rows else []))
            # The second goes on as careful as it must be, and finds the same.
            with pytest.raises(SequenceClash):
                await two.write(Batch(events=[second, event(run, 2)]))
        assert await payloads(database) == [first.payload]
        assert await database.fetchval("SELECT count(*) FROM messages") == 1


async def test_another_runs_place_is_a_clash(database: Database, run: Run) -> None:
    other = msgspec.structs.replace(run, id=RunId(new_id()))
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(events=[event(run, 1)]))
        with pytest.raises(SequenceClash):
            await journal.write(Batch(events=[event(other, 1)]))
        with pytest.raises(SequenceClash):
            await journal.write(Batch(events=[event(run, 2, "a"), event(run, 2, "b")]))
    assert await payloads(database) == ["{}"]


async def test_only_events_go_in_by_copy_and_anything_else_beside_them(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast path really is one statement; a first mixed batch needs no careful one either."""

    async def careful(*_: object) -> None:
        raise AssertionError("the careful path is not for this")

    monkeypatch.setattr(journal_store, "_insert_events", careful)
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(events=[event(run, 1, "fast")]))
        await journal.write(Batch(events=[event(run, 2, "mixed")], run_ends=[end(run)]))
    assert await payloads(database) == ["fast", "mixed"]
    assert await database.fetchval("SELECT status FROM runs") == "finished"
    assert await database.fetchval("SELECT last_seq FROM conversations") == 2


async def test_a_cost_is_settled_once_and_the_first_word_counts(
    database: Database, run: Run
) -> None:
    entry = reservation(run)
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(reservations=[entry]))
        await journal.write(Batch(settlements=[settlement(entry, "0.25")]))
        await journal.write(Batch(settlements=[settlement(entry, "9")]))
        # A reservation that is written late takes nothing back.
        await journal.write(Batch(reservations=[entry]))
    row = await database.fetchrow("SELECT status, amount_usd, output_tokens FROM cost_entries")
    assert row is not None
    assert tuple(row) == ("settled", Decimal("0.25"), 3)


async def test_a_run_ends_only_while_it_runs(database: Database, run: Run) -> None:
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(run_ends=[end(run, "cancelled")]))
        await journal.write(Batch(run_ends=[end(run, "failed", after_s=9)]))
    row = await database.fetchrow("SELECT status, ended_at FROM runs")
    assert row is not None
    assert tuple(row) == ("cancelled", NOW + timedelta(seconds=1))


async def test_hostile_text_is_stored_everywhere_and_is_the_same_when_written_again(
    database: Database, run: Run
) -> None:
    hostile = "a\0b \ud800 \ud83d\ude00 ‮ '; DROP TABLE runs; -- \\"
    kept = "a\ufffdb \ufffd \U0001f600 ‮ '; DROP TABLE runs; -- \\"
    batch = everything(run, hostile)
    async with PostgresJournal(database) as journal:
        await journal.write(batch)
        before = await contents(database)
        await journal.write(batch)
    assert await contents(database) == before
    assert await payloads(database) == ["{}", kept]
    for column in (
        "messages.content",
        "tool_calls.call_id",
        "tool_calls.tool_name",
        "tool_calls.output #>> '{data,0}'",
        "attachments.url",
        "claims.text",
        "claims.source",
        "cost_entries.model",
        "cost_entries.error_code",
        "runs.error_code",
    ):
        table = column.split(".")[0]
        found = [row[0] for row in await database.fetch(f"SELECT {column} FROM {table}")]
        assert kept in found, column


# --- a conversation that goes away ------------------------------------------------------------


@pytest.mark.parametrize("deletion", ["DELETE FROM conversations", "DELETE FROM users"])
async def test_a_run_that_ends_after_its_conversation_was_deleted_leaves_nothing(
    database: Database, run: Run, deletion: str
) -> None:
    """It said nothing that a foreign key would notice."""
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(events=[event(run, 1)]))
        await database.execute(deletion)
        # Nothing per token asks whether the conversation is there ...
        await journal.write(Batch(events=[event(run, 2)]))
        assert await payloads(database) == ["{}"]

        # ... but its end does, and takes back what was said meanwhile.
        with pytest.raises(NotFound) as refused:
            await journal.write(Batch(run_ends=[end(run)]))

        assert refused.value.code == "conversation_deleted"
        assert await payloads(database) == []


async def test_the_last_events_of_a_deleted_conversation_are_not_kept_beside_another_runs(
    desk: Desk, ann: Principal, run: Run
) -> None:
    """In a batch of several runs nothing is stored; alone, the living one is."""
    living = (await desk.start(ask("And MSFT?"), ann)).run
    await desk.database.execute("DELETE FROM conversations WHERE id = $1", run.conversation_id)
    both = Batch(
        events=[event(run, 1, "dead"), event(living, 1, "alive")],
        run_ends=[end(run), end(living)],
    )
    async with PostgresJournal(desk.database) as journal:
        with pytest.raises(NotFound):
            await journal.write(both)
        assert await payloads(desk.database) == []
        await journal.write(Batch(events=both.events[1:], run_ends=both.run_ends[1:]))
    assert await payloads(desk.database) == ["alive"]


async def test_what_a_crashed_process_told_of_a_deleted_conversation_is_taken_away(
    database: Database, run: Run
) -> None:
    """Its run is gone too, so only the open cost entry still tells of it."""
    entry = reservation(run, created_at=NOW - timedelta(days=900))
    async with PostgresJournal(database) as journal:
        await journal.write(Batch(reservations=[entry]))
        await database.execute("DELETE FROM users")
        await journal.write(Batch(events=[event(run, 1)]))
    orphans = Orphans(database, owner="another", is_running=lambda _: False)

    abandoned = await orphans.abandoned_entries()

    assert [found.id for found in abandoned] == [entry.id]
    assert await payloads(database) == []


# --- many at once -----------------------------------------------------------------------------


async def test_eight_runs_write_through_one_journal_and_each_keeps_its_order(
    desk: Desk, ann: Principal
) -> None:
    runs = [(await desk.start(ask(f"question {n}"), ann)).run for n in range(8)]
    words = 60
    async with PostgresJournal(desk.database) as store, Journal(store, Nobody()) as journal:

        async def speak(run: Run) -> None:
            log = journal.open(run.conversation_id, run.id, 0)
            for word in range(words):
                log.emit(Custom(name="word", value=word))
                if word % 7 == 0:
                    await log.durable()
                await asyncio.sleep(0)
            log.record(messages=[answer(run)], run_ends=[end(run)])
            await log.durable()

        await asyncio.gather(*map(speak, runs))

    for run in runs:
        rows = await desk.database.fetch(
            "SELECT seq, (payload::json ->> 'value')::int FROM run_events"
            " WHERE conversation_id = $1 ORDER BY seq",
            run.conversation_id,
        )
        assert [tuple(row) for row in rows] == [(n + 1, n) for n in range(words)]
    ended = await desk.database.fetch(
        "SELECT r.id FROM runs r JOIN conversations c ON c.id = r.conversation_id"
        " WHERE r.status = 'finished' AND c.last_seq = $1",
        words,
    )
    assert {row[0] for row in ended} == {UUID(str(run.id)) for run in runs}
