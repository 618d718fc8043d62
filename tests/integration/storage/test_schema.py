import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from app.domain.ids import new_id
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.errors import SchemaIsNewer, StorageError
from app.storage.migrate import revisions, sqlalchemy_connection, upgrade
from app.storage.schema import metadata
from tests.integration.storage.desk import Desk, ask
from tools.signal_views import RULES, RULES_VERSION

FIRST = "8683f5158156"
BEFORE_MODELS = "51a7c0de7777"
SIGNAL = """
INSERT INTO market_signals (id, model_id, symbol, market, timeframe, signal_type, kind, direction,
       strength, reason, edge, valid_from, valid_until, valid_bars, known_at, counted)
VALUES ($1, $2, 'X', 'stock USD', '1d', 'entry', 'entry', 'bullish', 40, 'because', 'too few',
        '2026-01-05', '2026-01-09', 5, '2026-01-05', true)
"""
MIGRATIONS = Path(__file__).parents[3] / "migrations"


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database that no migration has seen."""
    name = f"schema_{new_id().hex}"
    await postgres.create_database(name)
    async with Database({**postgres.connect_kwargs, "database": name}, pool_size=2) as database:
        yield database
    async with Database(postgres.connect_kwargs, pool_size=1) as database:
        await database.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _undo(database: Database, revision: str) -> None:
    """Bring a database back to an earlier schema."""

    def undo(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    async with sqlalchemy_connection(database.connect_kwargs) as connection:
        await connection.run_sync(undo)


async def test_an_empty_database_is_brought_up_to_date_once(empty: Database) -> None:
    said: list[str] = []

    assert await upgrade(empty, said.append) is True
    assert said == ["preparing the database's tables"]
    assert await empty.fetchval("SELECT version_num FROM alembic_version") == revisions()[0]
    desk = Desk(empty)
    await desk.agent()
    assert (await desk.start(ask("one"), await desk.user("ann@example.test"))).created

    assert await upgrade(empty, said.append) is False
    assert said == ["preparing the database's tables"]
    assert await empty.fetchval("SELECT count(*) FROM messages") == 1


async def test_what_came_after_the_first_release_can_be_undone_and_done_again(
    empty: Database,
) -> None:
    await upgrade(empty)
    await _undo(empty, FIRST)
    assert await empty.fetchval("SELECT version_num FROM alembic_version") == FIRST
    assert await upgrade(empty) is True


async def test_signals_of_every_rule_set_find_their_model_when_the_models_come(
    empty: Database,
) -> None:
    await upgrade(empty)
    await _undo(empty, BEFORE_MODELS)
    older = new_id()
    await empty.execute(
        "INSERT INTO instruments (id, symbol, name, source) VALUES ($1, 'X', 'X', 'x')", new_id()
    )
    for model_id in (RULES, older):
        await empty.execute(SIGNAL, new_id(), model_id)

    assert await upgrade(empty)
    rows = await empty.fetch("SELECT id, version, status FROM models ORDER BY status")
    assert [(row["id"], row["status"]) for row in rows] == [
        (RULES, "deployed"),
        (older, "deprecated"),
    ]
    assert rows[0]["version"] == RULES_VERSION
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await empty.execute(SIGNAL, new_id(), new_id())


async def test_processes_that_start_at_once_migrate_once(empty: Database) -> None:
    did = await asyncio.gather(*(upgrade(empty) for _ in range(3)))

    assert sorted(did) == [False, False, True]


async def test_what_the_migrations_build_is_what_the_tables_say(migrated: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    async with sqlalchemy_connection(migrated.connect_kwargs) as connection:
        assert await connection.run_sync(differences) == []


async def test_every_constraint_of_the_tables_is_in_the_database(migrated: Database) -> None:
    """Alembic compares no check constraints."""
    rows = await migrated.fetch(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('c', 'p', 'u', 'f') AND conrelid <> 'alembic_version'::regclass"
    )
    formatted = {
        sa.schema.CreateTable(table).compile().preparer.format_constraint(constraint)
        for table in metadata.tables.values()
        for constraint in table.constraints
    }
    assert {row["conname"] for row in rows} == {str(name).strip('"') for name in formatted}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("conversations", "user_id"),
        ("conversations", "agent_id"),
        ("conversations", "status"),
        ("conversations", "started_at"),
        ("messages", "conversation_id"),
        ("messages", "role"),
        ("messages", "timestamp"),
    ],
)
async def test_what_is_looked_up_by_a_column_has_an_index_that_begins_with_it(
    migrated: Database, table: str, column: str
) -> None:
    """The indexes that the data model asks for."""
    found = await migrated.fetchval(
        """
        SELECT count(*) FROM pg_index i
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = $1::text::regclass AND a.attname = $2::text
           AND i.indisvalid AND i.indpred IS NULL
        """,
        table,
        column,
    )
    assert found >= 1


async def test_a_schema_of_a_newer_release_is_refused_and_left_alone(empty: Database) -> None:
    await upgrade(empty)
    await empty.execute("UPDATE alembic_version SET version_num = 'tomorrow'")

    with pytest.raises(SchemaIsNewer, match=r"newer Outcry \(revision tomorrow\)"):
        await upgrade(empty)

    assert await empty.fetchval("SELECT version_num FROM alembic_version") == "tomorrow"


def test_a_history_with_two_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('revision: str = "a"\ndown_revision: str | None = None\n')
    assert revisions(tmp_path) == ("a", frozenset({"a"}))
    (tmp_path / "b.py").write_text("revision = 'b'\ndown_revision = 'a'\n")
    assert revisions(tmp_path) == ("b", frozenset({"a", "b"}))
    (tmp_path / "c.py").write_text("revision = 'c'\ndown_revision = 'a'\n")
    with pytest.raises(StorageError, match="2 ends"):
        revisions(tmp_path)


async def test_events_leave_with_their_conversation(database: Database, desk: Desk) -> None:
    ann = await desk.user("ann@example.test")
    runs = [(await desk.start(ask(f"{n}"), ann)).run for n in range(2)]
    for run in runs:
        await database.execute(
            "INSERT INTO run_events (conversation_id, seq, run_id, type, payload)"
            " VALUES ($1, 1, $2, 'CUSTOM', '{}')",
            run.conversation_id,
            run.id,
        )

    await database.execute("DELETE FROM conversations WHERE id = $1", runs[0].conversation_id)

    left = await database.fetch("SELECT conversation_id FROM run_events")
    assert [row[0] for row in left] == [runs[1].conversation_id]
