"""A registry on a real Postgres, with files in a folder of the test."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.services.models.models import Models
from app.storage.engine import Database
from app.storage.models import StoredModels
from inference.artifacts import ArtifactStore


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path / "artifacts")
    store.prepare()
    return store


@pytest.fixture
def models(database: Database, artifacts: ArtifactStore) -> Models:
    return Models(StoredModels(database), artifacts, clock=lambda: datetime.now(UTC))
