"""A desk that predicts, and two people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.principal import Principal
from app.storage.engine import Database
from tests.integration.predictions.small_models import PredictionDesk
from tests.integration.storage.desk import Desk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[PredictionDesk]:
    """An empty desk with an engine."""
    desk = PredictionDesk(database, tmp_path)
    async with desk.engine:
        yield desk
        await desk.predictions.close()


@pytest.fixture
async def ann(database: Database) -> Principal:
    """Somebody."""
    return await Desk(database).user("ann@example.test")


@pytest.fixture
async def bob(database: Database) -> Principal:
    """Somebody else."""
    return await Desk(database).user("bob@example.test")
