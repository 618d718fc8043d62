"""What all tests share: a real Postgres, started at most once, and a network that ends here.

Every worker of a parallel run enters the same embedded Postgres (its own locks see to that) and
works in a database of its own, which the migrations built.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.migrate import upgrade
from tests.integration.storage.clusters import remove_data_dir

_DIRECTORY = "OUTCRY_TEST_DIRECTORY"
"""Set by the first pytest process, inherited by its workers."""


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        directory = tempfile.mkdtemp(prefix="outcry-tests-")
        # Postgres may run as another user than we do.
        Path(directory).chmod(0o711)
        os.environ[_DIRECTORY] = directory


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        directory = Path(os.environ.pop(_DIRECTORY))
        remove_data_dir(directory / "data")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """Refuse every connection that would leave this machine."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """The embedded Postgres of this test run. Do not harm it: start your own for that."""
    directory = Path(os.environ[_DIRECTORY]) / "data"
    async with EmbeddedPostgres(directory, least_free_bytes=0) as postgres:
        yield postgres


@pytest.fixture(scope="session")
async def migrated(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of this worker's own, with whatever the tests before left in it."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    await postgres.create_database(name)
    async with Database({**postgres.connect_kwargs, "database": name}) as database:
        await upgrade(database)
        yield database


@pytest.fixture
async def database(migrated: Database) -> Database:
    """The worker's database, migrated and empty."""
    await migrated.execute("DELETE FROM conversations")
    await migrated.execute("DELETE FROM run_events")
    await migrated.execute("DELETE FROM cost_entries")
    await migrated.execute("DELETE FROM predictions")
    await migrated.execute("DELETE FROM experiments")
    # The migrations put the rule set of the signals there; it stays.
    await migrated.execute("DELETE FROM model_aliases WHERE name <> 'market-signals'")
    await migrated.execute("DELETE FROM models WHERE name <> 'market-signals'")
    await migrated.execute("DELETE FROM datasets")
    await migrated.execute("DELETE FROM users")
    await migrated.execute("DELETE FROM agents")
    await migrated.execute("DELETE FROM instruments")
    await migrated.execute("DELETE FROM secrets")
    await migrated.execute("DELETE FROM news")
    await migrated.execute("DELETE FROM statements")
    return migrated
