"""The prediction engine, joined: the registry of models and their files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from app.security.people import utc_now
from app.services.models import Models
from app.settings import Settings
from app.storage.engine import Database
from app.storage.models import StoredModels
from inference.artifacts import ArtifactStore
from tools.signal_views import RULES, RULES_VERSION


class EngineDesk(msgspec.Struct, kw_only=True):
    """Everything about models that is open."""

    models: Models
    artifacts: ArtifactStore


@asynccontextmanager
async def open_engine(settings: Settings, database: Database) -> AsyncIterator[EngineDesk]:
    """Open the engine; half-written files of processes that died are removed first."""
    artifacts = ArtifactStore(settings.data_dir / "artifacts")
    artifacts.prepare()
    models = Models(StoredModels(database), artifacts, clock=utc_now)
    await models.ensure_rules(RULES, name="market-signals", version=RULES_VERSION, task="signals")
    yield EngineDesk(models=models, artifacts=artifacts)
