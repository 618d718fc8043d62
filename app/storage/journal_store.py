"""The group commit: one transaction for everything that several runs said since the last one.

The common batch is nothing but events, and goes in by COPY as one statement. Whatever makes COPY
impossible (a batch that may be there already, text that Postgres refuses) takes the careful path,
where every row is written so that writing it again changes nothing.
"""

import asyncio
from types import TracebackType

import asyncpg

from app.domain.errors import NotFound
from app.domain.ids import ConversationId
from app.domain.journal import Batch, NewMessage, RunEnd
from app.domain.runs import StoredEvent
from app.storage import journal_rows as rows
from app.storage.engine import DATABASE_ERRORS, Connection, Database, translated, unavailable

_EVENT_COLUMNS = ("conversation_id", "seq", "run_id", "type", "message_id", "payload")

_EVENTS = """
INSERT INTO run_events (conversation_id, seq, run_id, type, message_id, payload)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[])
ON CONFLICT DO NOTHING
"""
_EVENTS_STORED = """
SELECT count(*)
  FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[])
       AS given (conversation_id, seq, run_id, type, message_id, payload)
  JOIN run_events e USING (conversation_id, seq, run_id, type, payload)
 WHERE e.message_id IS NOT DISTINCT FROM given.message_id
"""
_RESERVATIONS = """
INSERT INTO cost_entries (id, run_id, conversation_id, user_id, agent_id, provider, model, status,
       outcome, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       reasoning_tokens, reserved_usd, amount_usd, estimated, latency_ms, created_at, settled_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[],
       $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
       $13::bigint[], $14::bigint[], $15::numeric[], $16::numeric[], $17::bool[], $18::int[],
       $19::timestamptz[], $20::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
_SETTLEMENTS = """
UPDATE cost_entries AS c
   SET status = 'settled', outcome = s.outcome, input_tokens = s.input_tokens,
       output_tokens = s.output_tokens, cache_read_tokens = s.cache_read_tokens,
       cache_write_tokens = s.cache_write_tokens, reasoning_tokens = s.reasoning_tokens,
       amount_usd = s.amount_usd, estimated = s.estimated, latency_ms = s.latency_ms,
       settled_at = s.settled_at, error_code = s.error_code
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
       $7::bigint[], $8::numeric[], $9::bool[], $10::int[], $11::timestamptz[], $12::text[])
       AS s (id, outcome, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
             reasoning_tokens, amount_usd, estimated, latency_ms, settled_at, error_code)
 WHERE c.id = s.id AND c.status = 'reserved'
"""
_MESSAGES = """
INSERT INTO messages (id, conversation_id, run_id, parent_id, role, content, tokens, cost, stopped,
       timestamp)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[],
       $7::int[], $8::numeric[], $9::text[], $10::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
_TOOL_CALLS = """
INSERT INTO tool_calls (id, message_id, run_id, position, call_id, tool_name, input, output,
       duration_ms, status)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[],
       $7::jsonb[], $8::jsonb[], $9::int[], $10::text[])
ON CONFLICT (id) DO NOTHING
"""
_ATTACHMENTS = """
INSERT INTO attachments (id, message_id, type, url, mime_type, size, content)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
       $7::jsonb[])
ON CONFLICT (id) DO NOTHING
"""
_CLAIMS = """
INSERT INTO claims (message_id, position, start, "end", text, status, value, call_id, tool, path,
       label, unit, as_of, source)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[],
       $7::jsonb[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
       $13::timestamptz[], $14::text[])
ON CONFLICT (message_id, position) DO NOTHING
"""
# The conversation is locked before its run changes, the order in which `RunStore.start` takes them.
# It becomes no older than its newest message, so that the next question can follow by its clock.
_CONVERSATIONS = """
UPDATE conversations AS c
   SET updated_at = greatest(c.updated_at, e.ended_at,
                             (SELECT max(m.timestamp) FROM messages m
                               WHERE m.conversation_id = c.id)),
       last_seq = greatest(c.last_seq, (SELECT coalesce(max(v.seq), 0) FROM run_events v
                                         WHERE v.conversation_id = c.id))
  FROM (SELECT id, max(ended_at) AS ended_at
          FROM unnest($1::uuid[], $2::timestamptz[]) AS given (id, ended_at) GROUP BY id) AS e
 WHERE c.id = e.id
RETURNING c.id
"""
_RUN_ENDS = """
UPDATE runs AS r
   SET status = e.status, ended_at = e.ended_at, input_tokens = e.input_tokens,
       output_tokens = e.output_tokens, receipt = e.receipt, error_code = e.error_code
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::int[], $5::int[], $6::jsonb[],
       $7::text[]) AS e (id, status, ended_at, input_tokens, output_tokens, receipt, error_code)
 WHERE r.id = e.id AND r.status = 'running'
"""
ORPHANED_EVENTS = """
DELETE FROM run_events e
 WHERE e.conversation_id = ANY($1::uuid[])
   AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = e.conversation_id)
"""


class SequenceClash(Exception):
    """Two writers claimed the same place in a conversation's journal: a bug, never a race."""


class _ConversationGone(Exception):
    """A run ends whose conversation was deleted, which no foreign key has noticed."""


class PostgresJournal:
    """Implements `JournalStore` on a connection of its own, opened by the first write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._one_writer = asyncio.Lock()
        self._outcome_unknown = False

    async def __aenter__(self) -> "PostgresJournal":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back; a later `write` would open another."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=5)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                # It was lost already, or is just being: there is nobody to say goodbye to.
                connection.terminate()

    async def write(self, batch: Batch) -> None:
        """Write `batch` in one transaction; writing it again changes nothing.

        Raises:
            Unavailable: the database cannot be reached or is full; nothing is known to be stored.
            NotFound: a conversation in it was deleted meanwhile; nothing was stored.
        """
        async with self._one_writer, translated():
            connection = await self._connected()
            # Until this write is known to have ended, the next one must expect to find it there.
            careful, self._outcome_unknown = self._outcome_unknown, True
            try:
                await self._write(connection, batch, careful=careful)
            except (asyncpg.ForeignKeyViolationError, _ConversationGone) as error:
                # The transaction is rolled back, so its outcome is known.
                self._outcome_unknown = False
                # Earlier batches of nothing but events may have been written after the deletion:
                # no foreign key speaks for events, so a run's last batch takes them away.
                await connection.execute(ORPHANED_EVENTS, _conversations(batch))
                raise NotFound(
                    "The conversation was deleted.", code="conversation_deleted"
                ) from error
            except asyncio.CancelledError:
                connection.terminate()
                raise
            except DATABASE_ERRORS as error:
                if unavailable(error) is not None:
                    # A new connection may find a server that can: a primary instead of a replica.
                    connection.terminate()
                raise
            self._outcome_unknown = False

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
        return self._connection

    async def _write(self, connection: Connection, batch: Batch, *, careful: bool) -> None:
        if not careful:
            try:
                if _only_events(batch):
                    await _copy_events(connection, batch.events)
                else:
                    async with connection.transaction():
                        if batch.events:
                            await _copy_events(connection, batch.events)
                        await _write_rows(connection, batch)
            except (
                asyncpg.UniqueViolationError,
                asyncpg.CharacterNotInRepertoireError,
                UnicodeEncodeError,
            ):
                # Rolled back: begin again, expecting copies and cleaning texts.
                pass
            else:
                return
        async with connection.transaction():
            if batch.events:
                await _insert_events(connection, batch.events)
            await _write_rows(connection, batch)


def _conversations(batch: Batch) -> list[ConversationId]:
    said: list[StoredEvent | NewMessage | RunEnd] = [
        *batch.events,
        *batch.messages,
        *batch.run_ends,
    ]
    return list({row.conversation_id for row in said})


def _only_events(batch: Batch) -> bool:
    return not (
        batch.reservations
        or batch.settlements
        or batch.messages
        or batch.tool_calls
        or batch.attachments
        or batch.claims
        or batch.run_ends
    )


async def _copy_events(connection: Connection, events: list[StoredEvent]) -> None:
    await connection.copy_records_to_table(
        "run_events",
        records=[
            (e.conversation_id, e.seq, e.run_id, e.type, e.message_id, e.payload) for e in events
        ],
        columns=_EVENT_COLUMNS,
    )


async def _insert_events(connection: Connection, events: list[StoredEvent]) -> None:
    columns = rows.columns(map(rows.event, events))
    await connection.execute(_EVENTS, *columns)
    stored = await connection.fetchval(_EVENTS_STORED, *columns)
    if stored < len(events):
        raise SequenceClash(f"{len(events) - stored} of {len(events)} events found their seq taken")


async def _write_rows(connection: Connection, batch: Batch) -> None:
    """Write everything but events; each statement passes over what is there already."""
    if batch.reservations:
        await connection.execute(
            _RESERVATIONS, *rows.columns(map(rows.reservation, batch.reservations))
        )
    if batch.settlements:
        await connection.execute(
            _SETTLEMENTS, *rows.columns(map(rows.settlement, batch.settlements))
        )
    if batch.messages:
        await connection.execute(_MESSAGES, *rows.columns(map(rows.message, batch.messages)))
    if batch.tool_calls:
        await connection.execute(_TOOL_CALLS, *rows.columns(map(rows.tool_call, batch.tool_calls)))
    if batch.attachments:
        await connection.execute(
            _ATTACHMENTS, *rows.columns(map(rows.attachment, batch.attachments))
        )
    if batch.claims:
        await connection.execute(_CLAIMS, *rows.columns(map(rows.claim, batch.claims)))
    if batch.run_ends:
        ends = batch.run_ends
        found = await connection.fetch(
            _CONVERSATIONS, [e.conversation_id for e in ends], [e.ended_at for e in ends]
        )
        if len(found) < len({e.conversation_id for e in ends}):
            raise _ConversationGone
        await connection.execute(_RUN_ENDS, *rows.columns(map(rows.run_end, ends)))
