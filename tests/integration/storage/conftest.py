"""An empty desk and two people for the storage tests."""

import pytest

from app.domain.principal import Principal
from app.storage.engine import Database
from tests.integration.storage.desk import Desk


@pytest.fixture
async def desk(database: Database) -> Desk:
    """An empty desk with one agent."""
    desk = Desk(database)
    await desk.agent()
    return desk


@pytest.fixture
async def ann(desk: Desk) -> Principal:
    """Somebody."""
    return await desk.user("ann@example.test")


@pytest.fixture
async def bob(desk: Desk) -> Principal:
    """Somebody else."""
    return await desk.user("bob@example.test")
