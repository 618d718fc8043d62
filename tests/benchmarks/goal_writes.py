"""G6: durable rows a second through the product's own writer, beside Postgres's own limits.

64 conversations hand a message and a cost entry to the journal and wait until both are durable,
over and over; the same message rows go in by COPY, by executemany and one by one through an ORM.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import registry

from agents.messages import Usage
from app.domain.costs import CostEntry
from app.domain.ids import AttemptId, ConversationId, MessageId, RunId, UserId, new_id
from app.domain.journal import NewMessage
from app.domain.runs import StoredEvent
from app.services.conversations.journal import Journal
from app.storage import tables
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.journal_store import PostgresJournal
from app.storage.migrate import upgrade
from tests.benchmarks.goal_turns import question
from tests.benchmarks.results import Figures, median, significant

CONVERSATIONS = 64
CONTENT_BYTES = 200
COLUMNS = ("id", "conversation_id", "role", "content", "timestamp")


class _Nobody:
    """Shows events to nobody: the writer is measured, not the sockets."""

    def publish(self, events: Sequence[StoredEvent]) -> None:
        return


async def g6(*, seconds: float = 10.0, rounds: int = 3) -> Figures:
    """Durable message and cost rows a second, against COPY, executemany and an ORM."""
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
        os.chmod(folder, 0o711)
        data_dir = Path(folder) / "data"
        async with (
            EmbeddedPostgres(data_dir) as postgres,
            Database(postgres.connect_kwargs) as database,
        ):
            await upgrade(database)
            plain = await asyncpg.connect(**postgres.connect_kwargs)
            owners = await _make_owners(plain)
            figures: dict[str, list[float]] = {
                name: [] for name in ("ours", "copy", "executemany", "orm")
            }
            for number in range(rounds):
                figures["ours"].append(await _ours(database, owners, seconds / rounds))
                figures["copy"].append(await _repeat(_copy, plain, owners, rows=20_000))
                figures["executemany"].append(
                    await _repeat(_executemany, plain, owners, rows=10_000)
                )
                figures["orm"].append(await _orm(postgres.dsn, owners, seconds=2.0))
                print(
                    f"  round {number + 1}: "
                    + ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in figures.items())
                )
            await plain.close()
    ours, copy, orm = (median(figures[name]) for name in ("ours", "copy", "orm"))
    return {
        "ours_rows_per_s": ours,
        "copy_rows_per_s": copy,
        "executemany_rows_per_s": median(figures["executemany"]),
        "orm_rows_per_s": orm,
        "share_of_copy": significant(ours / copy, 3),
        "times_orm": significant(ours / orm, 3),
    }


class _Owner:
    """Whose rows they are: all that foreign keys ask for."""

    def __init__(self, conversation: UUID, run: UUID, user: UUID, agent: UUID) -> None:
        self.conversation = ConversationId(conversation)
        self.run = RunId(run)
        self.user = UserId(user)
        self.agent = agent


async def _make_owners(connection: Any) -> list[_Owner]:
    user, agent = new_id(), new_id()
    await connection.execute(
        "INSERT INTO users (id, email, name, role) VALUES ($1, 'b@desk.test', 'b', 'user')", user
    )
    await connection.execute(
        "INSERT INTO agents (id, name, type, config) VALUES ($1, 'bench', 'analyst', '{}')", agent
    )
    owners = [_Owner(new_id(), new_id(), user, agent) for _ in range(CONVERSATIONS)]
    for owner in owners:
        await connection.execute(
            "INSERT INTO conversations (id, user_id, agent_id, agent_version) "
            "VALUES ($1, $2, $3, 1)",
            owner.conversation,
            user,
            agent,
        )
        await connection.execute(
            "INSERT INTO runs (id, conversation_id, user_id, agent_id, agent_version, command_id, "
            "command_hash, status, owner, started_at) "
            "VALUES ($1, $2, $3, $4, 1, $5, '', 'finished', 'bench', now())",
            owner.run,
            owner.conversation,
            user,
            agent,
            str(owner.run),
        )
    return owners


async def _ours(database: Database, owners: Sequence[_Owner], seconds: float) -> float:
    """Return durable rows a second through the journal, every writer waiting for its own."""
    async with PostgresJournal(database) as store, Journal(store, _Nobody()) as journal:
        started = time.monotonic()
        until = started + seconds

        async def converse(owner: _Owner) -> int:
            log = journal.open(owner.conversation, owner.run, 0)
            turns = 0
            while time.monotonic() < until:
                log.record(messages=[_message(owner)], reservations=[_cost(owner)])
                await log.durable()
                turns += 1
            return turns

        turns = sum(await asyncio.gather(*map(converse, owners)))
        took = time.monotonic() - started
    return 2 * turns / took


def _message(owner: _Owner) -> NewMessage:
    return NewMessage(
        id=MessageId(new_id()),
        conversation_id=owner.conversation,
        run_id=owner.run,
        parent_id=None,
        role="user",
        content=question(CONTENT_BYTES),
        timestamp=datetime.now(UTC),
    )


def _cost(owner: _Owner) -> CostEntry:
    return CostEntry(
        id=AttemptId(new_id()),
        run_id=owner.run,
        conversation_id=owner.conversation,
        user_id=owner.user,
        agent_id=owner.agent,
        provider="openai",
        model="fake-1",
        status="reserved",
        outcome="pending",
        usage=Usage(input_tokens=50, output_tokens=100),
        reserved_usd=None,
        amount_usd=None,
        estimated=False,
        latency_ms=0,
        created_at=datetime.now(UTC),
    )


# --- the others, on the message table ---------------------------------------------------------


def _rows(owners: Sequence[_Owner], count: int) -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    return [
        (
            new_id(),
            owners[index % len(owners)].conversation,
            "user",
            question(CONTENT_BYTES),
            now,
        )
        for index in range(count)
    ]


async def _repeat(
    write: Callable[[Any, list[tuple[Any, ...]]], Awaitable[None]],
    connection: Any,
    owners: Sequence[_Owner],
    *,
    rows: int,
) -> float:
    batch = _rows(owners, rows)
    started = time.monotonic()
    await write(connection, batch)
    return rows / (time.monotonic() - started)


async def _copy(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table("messages", records=rows, columns=COLUMNS)


async def _executemany(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    await connection.executemany(
        f"INSERT INTO messages ({', '.join(COLUMNS)}) VALUES ($1, $2, $3, $4, $5)", rows
    )


class _MappedMessage:
    """The message table as an ORM class."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


_mapping = registry()
_mapping.map_imperatively(
    _MappedMessage,
    tables.messages,
    # Computed by the database; asking for it back would only slow the ORM down.
    exclude_properties={"search"},
)


async def _orm(dsn: str, owners: Sequence[_Owner], *, seconds: float) -> float:
    """Return rows a second when each is added and committed on its own."""
    engine = create_async_engine(sa.make_url(dsn).set(drivername="postgresql+asyncpg"))
    written = 0
    try:
        async with AsyncSession(engine) as session:
            rows = iter(_rows(owners, 20_000))
            started = time.monotonic()
            while time.monotonic() < started + seconds:
                session.add(_MappedMessage(**dict(zip(COLUMNS, next(rows), strict=True))))
                await session.commit()
                written += 1
            return written / (time.monotonic() - started)
    finally:
        await engine.dispose()
