"""The journal: durable before shown, in order, merged, and not stopped by one run's poison."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from agents.events import Custom, RunError, TextEnded, TextStarted
from agents.messages import Usage
from app.domain.errors import Unavailable
from app.domain.ids import AttemptId, ConversationId, RunId, new_id
from app.domain.journal import Batch, CostSettlement
from app.domain.runs import StoredEvent
from app.services.conversations.journal import Journal, JournalPolicy


class Store:
    """Keeps batches; can be told to be away, or to refuse one conversation."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.away = 0
        self.poisoned: UUID | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, batch: Batch) -> None:
        await self.gate.wait()
        if self.away:
            self.away -= 1
            raise Unavailable("gone", code="database_unavailable")
        if any(event.conversation_id == self.poisoned for event in batch.events):
            raise ValueError("foreign key")
        self.batches.append(batch)

    @property
    def events(self) -> list[StoredEvent]:
        return [event for batch in self.batches for event in batch.events]


class Shown:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.events: list[StoredEvent] = []

    def publish(self, events: Sequence[StoredEvent]) -> None:
        durable = {(e.conversation_id, e.seq) for e in self.store.events}
        assert all((e.conversation_id, e.seq) in durable for e in events)
        self.events.extend(events)


@asynccontextmanager
async def running(store: Store, policy: JournalPolicy) -> AsyncIterator[tuple[Journal, Shown]]:
    shown = Shown(store)
    async with Journal(store, shown, policy) as journal:
        yield journal, shown


FAST = JournalPolicy(quiet_interval_s=0, busy_interval_s=0, first_retry_s=0, last_retry_s=0)


def ids() -> tuple[ConversationId, RunId]:
    return ConversationId(new_id()), RunId(new_id())


async def test_events_are_numbered_from_the_last_seq_and_shown_only_once_durable() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 41)
        pen.emit(TextStarted(message_id="m"))
        pen.text("m", "hello")
        pen.emit(TextEnded(message_id="m"))
        await pen.durable()
        assert [event.seq for event in shown.events] == [42, 43, 44]
        assert [event.type for event in shown.events] == [
            "TEXT_MESSAGE_START",
            "TEXT_MESSAGE_CONTENT",
            "TEXT_MESSAGE_END",
        ]


async def test_nothing_is_shown_while_the_commit_is_under_way() -> None:
    store = Store()
    store.gate.clear()
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 0)
        pen.text("m", "a")
        waiting = asyncio.ensure_future(pen.durable())
        for _ in range(5):
            await asyncio.sleep(0)
        assert shown.events == []
        assert not waiting.done()
        store.gate.set()
        await waiting
        assert [event.payload for event in shown.events] == ["a"]


async def test_text_that_gathers_during_a_commit_becomes_one_event() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        one, two = journal.open(*ids(), 0), journal.open(*ids(), 0)
        store.gate.clear()
        one.text("m", "first")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for word in ("a", "b", "c"):
            one.text("m", word)
            two.text("n", word)
        store.gate.set()
        await one.durable()
        of_one = [e.payload for e in shown.events if e.run_id == one.run_id]
        of_two = [e.payload for e in shown.events if e.run_id == two.run_id]
        assert "".join(of_one) == "firstabc"
        assert of_one[-1] == "abc"
        assert of_two == ["abc"]


async def test_another_event_between_two_texts_keeps_their_order() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 0)
        pen.text("m", "a")
        pen.emit(TextEnded(message_id="m"))
        pen.text("n", "b")
        await pen.durable()
        assert [event.type for event in shown.events] == [
            "TEXT_MESSAGE_CONTENT",
            "TEXT_MESSAGE_END",
            "TEXT_MESSAGE_CONTENT",
        ]


async def test_a_database_that_goes_away_loses_and_doubles_nothing() -> None:
    store = Store()
    store.away = 5
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 0)
        for word in ("a", "b", "c"):
            pen.text("m", word)
        await pen.durable()
        assert "".join(event.payload for event in shown.events) == "abc"
        assert journal.check() is None


async def test_one_run_that_cannot_be_stored_does_not_stop_the_others() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        bad, good = journal.open(*ids(), 0), journal.open(*ids(), 0)
        store.poisoned = bad.conversation_id
        bad.text("m", "lost")
        good.text("n", "kept")
        await good.durable()
        assert [event.payload for event in shown.events] == ["kept"]
        with pytest.raises(ValueError, match="foreign key"):
            await bad.durable()


async def test_runs_wait_while_too_much_is_unwritten() -> None:
    store = Store()
    store.gate.clear()
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0, room_bytes=10)
    async with running(store, policy) as (journal, _):
        pen = journal.open(*ids(), 0)
        pen.text("m", "x")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        pen.text("m", "y" * 11)
        waiting = asyncio.ensure_future(pen.wait_for_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        store.gate.set()
        await asyncio.wait_for(waiting, 5)


async def test_close_writes_what_is_left() -> None:
    store = Store()
    async with running(store, JournalPolicy(quiet_interval_s=60)) as (journal, _):
        pen = journal.open(*ids(), 0)
        pen.text("m", "a")
        await pen.durable()
        pen.text("m", "b")
    assert [event.payload for event in store.events] == ["a", "b"]


async def test_a_follower_that_fails_does_not_stop_the_writer() -> None:
    class Broken(Shown):
        def publish(self, events: Sequence[StoredEvent]) -> None:
            raise RuntimeError("a bug in a door")

    store = Store()
    async with Journal(store, Broken(store), FAST) as journal:
        pen = journal.open(*ids(), 0)
        pen.text("m", "a")
        await pen.durable()
        pen.text("m", "b")
        await pen.durable()
        assert journal.check() is None
    assert [event.payload for event in store.events] == ["a", "b"]
    assert journal.check() == "the writer has stopped"


async def test_closing_does_not_wait_for_ever_for_a_database_that_is_away() -> None:
    store = Store()
    store.away = 1_000_000
    policy = JournalPolicy(quiet_interval_s=0, first_retry_s=0.001, closing_s=0.05)
    async with Journal(store, Shown(store), policy) as journal:
        journal.open(*ids(), 0).text("m", "a")
    assert store.events == []


def settlement() -> CostSettlement:
    return CostSettlement(
        id=AttemptId(new_id()),
        outcome="cancelled",
        usage=Usage(10, 10),
        amount_usd=Decimal("0.01"),
        estimated=True,
        latency_ms=1,
        settled_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_whoever_waits_when_the_journal_is_left_is_told() -> None:
    store = Store()
    store.away = 1_000_000
    policy = JournalPolicy(quiet_interval_s=0, first_retry_s=0.001, closing_s=0.05)
    async with Journal(store, Shown(store), policy) as journal:
        pen = journal.open(*ids(), 0)
        pen.text("m", "a")
        in_flight = asyncio.ensure_future(pen.durable())
        await asyncio.sleep(0.01)
        pen.text("m", "b")
        queued = asyncio.ensure_future(pen.durable())
        await asyncio.sleep(0)
    for waiting in (in_flight, queued, asyncio.ensure_future(pen.durable())):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(waiting, 5)
    pen.text("m", "c")
    await asyncio.wait_for(pen.wait_for_room(), 5)


async def test_room_counts_what_is_being_written_too() -> None:
    store = Store()
    store.gate.clear()
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0, room_bytes=10)
    async with running(store, policy) as (journal, _):
        pen = journal.open(*ids(), 0)
        pen.text("m", "x" * 8)
        for _ in range(3):
            await asyncio.sleep(0)
        pen.text("m", "y" * 8)
        waiting = asyncio.ensure_future(pen.wait_for_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        store.gate.set()
        await asyncio.wait_for(waiting, 5)


async def test_a_lost_run_is_stopped_forgotten_and_still_settled() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 0)
        store.poisoned = pen.conversation_id
        stopped: list[str] = []
        pen.when_lost = lambda: stopped.append("once")
        paid, later = settlement(), settlement()
        pen.text("m", "lost")
        pen.record(settlements=[paid])
        with pytest.raises(ValueError, match="foreign key"):
            await pen.durable()
        for _ in range(3):
            pen.text("m", "never")
            pen.emit(TextEnded(message_id="m"))
        pen.record(settlements=[later], messages=[])
        with pytest.raises(ValueError, match="foreign key"):
            await pen.durable()
        assert stopped == ["once"]
        assert shown.events == []
        assert [s for batch in store.batches for s in batch.settlements] == [paid, later]
        assert journal._unwritten_bytes == 0


async def test_what_is_shown_is_what_is_kept_whatever_the_characters() -> None:
    store = Store()
    async with running(store, FAST) as (journal, shown):
        pen = journal.open(*ids(), 0)
        pen.text("m", "a\0b\ud83d")
        pen.text("m", "\ude00\ud800")
        pen.emit(RunError(message="bad \udcff name \0", code="x"))
        pen.emit(Custom(name="c", value={"k\ud800": ["\0"], "deep": float("nan")}))
        await pen.durable()
        assert shown.events == store.events
        text, error, custom = shown.events
        assert text.payload == "a\ufffdb\U0001f600\ufffd"
        assert msgspec.json.decode(error.payload) == {
            "type": "RUN_ERROR",
            "message": "bad \ufffd name \ufffd",
            "code": "x",
        }
        assert msgspec.json.decode(custom.payload)["value"] == {"k\ufffd": ["\ufffd"], "deep": None}
