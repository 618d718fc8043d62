"""A desk without datasets and without models that were trained here."""

import pytest

from app.storage.engine import Database


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
