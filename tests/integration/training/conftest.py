"""A desk without datasets and without models that were trained here."""

from pathlib import Path

import pytest

from app.storage.engine import Database
from tests.integration.training.training_desk import TrainingDesk


@pytest.fixture
async def untrained(database: Database) -> Database:
    """The worker's database, without what training leaves."""
    await database.execute(
        "DELETE FROM model_aliases WHERE model_id IN (SELECT id FROM models WHERE recipe <> '')"
    )
    await database.execute("DELETE FROM models WHERE recipe <> ''")
    await database.execute("DELETE FROM datasets")
    await database.execute("DELETE FROM jobs")
    return database


@pytest.fixture
async def desk(untrained: Database, tmp_path: Path) -> TrainingDesk:
    """A desk that can train, with bars of two instruments."""
    desk = TrainingDesk(untrained, tmp_path)
    await desk.stock("AAA", "BBB")
    return desk
