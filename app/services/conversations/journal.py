"""Make everything runs say durable, then show it: one writer, many runs, one fsync for all.

A run appends synchronously and goes on. The writer seals whatever has gathered into one batch,
commits it, and only then publishes it, so nothing is ever shown that a crash could take back.
Text of one message that gathers between two commits becomes one event.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Self

import msgspec
import structlog

from app.domain.errors import Unavailable
from app.domain.ids import ConversationId, RunId
from app.domain.journal import Batch
from app.domain.runs import StoredEvent
from app.services.conversations.run_log import Entry, RunLog
from app.services.ports import JournalStore, Publisher

log = structlog.get_logger(__name__)


class JournalPolicy(msgspec.Struct, frozen=True):
    """When the writer commits and when runs must wait for it."""

    quiet_interval_s: float = 0.004
    """Least time between two commits while little is going on."""
    busy_interval_s: float = 0.030
    """... while much is: text gathers, so that each token costs less."""
    per_entry_s: float = 0.0003
    """How the time grows with the size of the last batch, from the one to the other."""
    room_bytes: int = 8 * 1024 * 1024
    """Unwritten bytes at which runs wait."""
    first_retry_s: float = 0.05
    last_retry_s: float = 2.0
    closing_s: float = 10.0
    """How long the database may be away while the journal closes."""


class Journal:
    """The one writer, as an async context manager; leaving it writes what is left."""

    def __init__(
        self, store: JournalStore, publisher: Publisher, policy: JournalPolicy | None = None
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._policy = policy or JournalPolicy()
        self._entries: list[Entry] = []
        self._rows: list[tuple[RunLog, dict[str, Iterable[Any]]]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._go = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._next_commit_at = 0.0
        self._unwritten_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._writing = False
        self._closing = False
        self._failing_since: float | None = None
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._run(), name="journal")
        self._writer.add_done_callback(self._stopped)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closing = True
        self._go.set()
        if self._writer is not None:
            _, late = await asyncio.wait({self._writer}, timeout=self._policy.closing_s)
            if late:
                log.error("journal.left_unwritten", bytes=self._unwritten_bytes)
                self._writer.cancel()
                await asyncio.wait({self._writer})

    def _stopped(self, writer: asyncio.Task[None]) -> None:
        """Let nobody wait for a writer that has ended, whatever ended it."""
        if not writer.cancelled() and (bug := writer.exception()) is not None:
            log.error("journal.writer_failed", exc_info=bug)
        self._entries.clear()
        self._rows.clear()
        self._room.set()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(_left())

    def open(self, conversation_id: ConversationId, run_id: RunId, last_seq: int) -> RunLog:
        """Return the pen for a run; `last_seq` is the conversation's newest sequence number."""
        return RunLog(self, conversation_id, run_id, last_seq)

    def check(self) -> str | None:
        """Return what is wrong for `/health`, or None."""
        if self._writer is None or self._has_stopped():
            return "the writer has stopped"
        if self._failing_since is None:
            return None
        seconds = asyncio.get_running_loop().time() - self._failing_since
        return f"nothing could be stored for {seconds:.0f} s"

    def _has_stopped(self) -> bool:
        return self._writer is not None and self._writer.done()

    # --- appending: called on the token path --------------------------------------------------

    def append(self, entry: Entry, size: int) -> None:
        if entry.log.lost is not None or self._has_stopped():
            return
        self._entries.append(entry)
        self.grow(size)
        if self._timer is None and not self._writing:
            self._schedule()

    def grow(self, size: int) -> None:
        self._unwritten_bytes += size
        if self._unwritten_bytes > self._policy.room_bytes:
            self._room.clear()

    def record(self, log: RunLog, rows: dict[str, Iterable[Any]]) -> None:
        if log.lost is not None:
            rows = _only_settlements(rows)
        if not rows or self._has_stopped():
            return
        self._rows.append((log, rows))
        if self._timer is None and not self._writing:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        delay = self._next_commit_at - loop.time()
        if delay <= 0:
            self._go.set()
        else:
            self._timer = loop.call_later(delay, self._go.set)

    async def wait_for_room(self) -> None:
        if not self._room.is_set():
            await self._room.wait()

    async def durable(self) -> None:
        """Return once everything appended so far is committed; commits without delay.

        Raises:
            Unavailable: the journal was left before it could be.
        """
        if self._has_stopped():
            raise _left()
        future = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self._go.set()
        await future

    # --- writing ------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        policy = self._policy
        while True:
            await self._go.wait()
            self._go.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._entries or self._rows or self._waiters:
                self._writing = True
                try:
                    entries = await self._commit()
                finally:
                    self._writing = False
                interval = min(
                    max(entries * policy.per_entry_s, policy.quiet_interval_s),
                    policy.busy_interval_s,
                )
                self._next_commit_at = loop.time() + interval
            if self._entries or self._rows or self._waiters:
                if self._waiters:
                    self._go.set()
                else:
                    self._schedule()
            elif self._closing:
                return

    async def _commit(self) -> int:
        """Seal and store what has gathered; return how many entries that was."""
        entries, self._entries = self._entries, []
        rows, self._rows = self._rows, []
        # They stay where `_stopped` finds them until this commit is through.
        waiting = len(self._waiters)
        being_written = self._unwritten_bytes
        batch = Batch()
        batch.events = [entry.log.seal(entry) for entry in entries]
        for _, added in rows:
            _add_rows(batch, added)
        try:
            await self._write(batch)
        except Exception:
            log.exception("journal.batch_refused", events=len(batch.events))
            batch.events = await self._write_run_by_run(batch, entries, rows)
        try:
            self._publisher.publish(batch.events)
        except Exception:
            # They are durable, so whoever missed them reads them from the journal.
            log.exception("journal.not_published", events=len(batch.events))
        self._shrink(being_written)
        waiters, self._waiters = self._waiters[:waiting], self._waiters[waiting:]
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return len(entries)

    def _shrink(self, size: int) -> None:
        self._unwritten_bytes -= size
        if self._unwritten_bytes <= self._policy.room_bytes:
            self._room.set()

    async def _write(self, batch: Batch) -> None:
        """Store `batch`, however long the database is away; only a refusal ends it."""
        loop = asyncio.get_running_loop()
        pause_s = self._policy.first_retry_s
        while True:
            try:
                await self._store.write(batch)
            except Unavailable as unavailable:
                if self._failing_since is None:
                    self._failing_since = loop.time()
                    log.warning("journal.waiting_for_database", code=unavailable.code)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._policy.last_retry_s)
            else:
                if self._failing_since is not None:
                    seconds = loop.time() - self._failing_since
                    log.info("journal.database_is_back", after_s=round(seconds, 2))
                    self._failing_since = None
                return

    async def _write_run_by_run(
        self,
        batch: Batch,
        entries: list[Entry],
        rows: list[tuple[RunLog, dict[str, Iterable[Any]]]],
    ) -> list[StoredEvent]:
        """Store each run's part alone, so that one run's poison does not stop the others.

        Returns the events that were stored.
        """
        parts: dict[RunLog, Batch] = {}
        for entry, event in zip(entries, batch.events, strict=True):
            parts.setdefault(entry.log, Batch(events=[])).events.append(event)
        for run_log, added in rows:
            _add_rows(parts.setdefault(run_log, Batch(events=[])), added)
        stored: list[StoredEvent] = []
        for run_log, part in parts.items():
            try:
                await self._write(part)
            except Exception as refused:
                log.exception("journal.run_refused", run_id=str(run_log.run_id))
                self._forget(run_log)
                run_log.lose(refused)
                await self._settle_alone(run_log, part)
            else:
                stored.extend(part.events)
        return stored

    def _forget(self, run_log: RunLog) -> None:
        """Drop what a lost run has said since; its settlements stay."""
        dropped = [entry for entry in self._entries if entry.log is run_log]
        self._entries = [entry for entry in self._entries if entry.log is not run_log]
        self._shrink(sum(entry.size() for entry in dropped))
        self._rows = [
            (of, _only_settlements(rows) if of is run_log else rows) for of, rows in self._rows
        ]

    async def _settle_alone(self, run_log: RunLog, part: Batch) -> None:
        """Store at least what a lost run's attempts cost."""
        if not part.settlements:
            return
        try:
            await self._write(Batch(settlements=part.settlements))
        except Exception:
            log.exception("journal.costs_refused", run_id=str(run_log.run_id))


def _only_settlements(rows: dict[str, Iterable[Any]]) -> dict[str, Iterable[Any]]:
    return {"settlements": rows["settlements"]} if "settlements" in rows else {}


def _left() -> Unavailable:
    return Unavailable("The server is stopping.", code="restarting", retry_after_s=2)


def _add_rows(batch: Batch, rows: dict[str, Iterable[Any]]) -> None:
    for field, values in rows.items():
        getattr(batch, field).extend(values)
