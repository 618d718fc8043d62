"""A desk with two hundred evenings ahead of it, and somebody who asks."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.principal import Principal
from app.storage.engine import Database
from tests.integration.experiments.experiment_desk import ExperimentDesk
from tests.integration.storage.desk import Desk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[ExperimentDesk]:
    desk = ExperimentDesk(database, tmp_path)
    await desk.load()
    # Every bar is stored; what is read is cut off by the clock.
    desk.now = desk.close_of(150) + timedelta(hours=1)
    async with desk.engine:
        yield desk
        await desk.predictions.close()


@pytest.fixture
async def ann(database: Database) -> Principal:
    return await Desk(database).user("ann@example.test")
