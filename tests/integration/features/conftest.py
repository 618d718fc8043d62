from pathlib import Path

import pytest

from app.storage.engine import Database
from tests.integration.features.feature_desk import FeatureDesk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> FeatureDesk:
    """A desk with a feature store, and nothing in it."""
    await database.execute("TRUNCATE feature_values, feature_states, feature_views")
    return FeatureDesk(database, tmp_path)
