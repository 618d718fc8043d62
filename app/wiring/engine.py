"""The prediction engine, joined: the registry of models, their files, and what runs them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from app.security.people import utc_now
from app.services.conversations.pricing import PriceBook
from app.services.models.call_costs import CallCosts
from app.services.models.engine_view import EngineViews
from app.services.models.model_calls import ModelCalls
from app.services.models.models import Models
from app.settings import Settings
from app.storage.call_costs import StoredCallCosts
from app.storage.engine import Database
from app.storage.models import StoredModels
from app.wiring.alerts import allowed_places
from app.wiring.bundles import Bundles
from app.wiring.remote import GuardedDeployments, GuardedLine
from inference.artifacts import ArtifactStore
from inference.cards import ModelCard
from inference.engine.admission import QueueBounds
from inference.engine.engine import Engine
from inference.engine.process import WorkerCommand
from inference.engine.remote import RoutedEngine
from inference.engine.served import EngineOptions
from inference.formats.folder import FolderLimits
from inference.runtimes.connections import Connection
from tools.signal_views import RULES, RULES_VERSION


class EngineDesk(msgspec.Struct, kw_only=True):
    """Everything about models that is open."""

    models: Models
    artifacts: ArtifactStore
    engine: Engine
    """What runs models here."""
    routed: RoutedEngine
    """The same, and those on other servers: what answers are asked of."""
    bundles: Bundles
    calls: ModelCalls
    """Models asked by programs, without a record."""
    views: EngineViews
    """What all of it does."""


def engine_options(
    settings: Settings, connections: Mapping[str, Connection] | None = None
) -> EngineOptions:
    """Return how much the engine may do and take."""
    return EngineOptions(
        worker=WorkerCommand(
            device=settings.engine_device,
            memory_mib=settings.engine_memory_mib,
            threads=settings.engine_threads,
            connections=connections or {},
        ),
        bounds=QueueBounds(rows=settings.engine_queue_rows, seconds=settings.engine_queue_s),
        cache_bytes=settings.engine_cache_mib * 2**20,
    )


def open_artifacts(settings: Settings) -> ArtifactStore:
    """Return the store of files, without what dead processes left half written."""
    artifacts = ArtifactStore(
        settings.data_dir / "artifacts", limits=FolderLimits(bytes_in_all=settings.model_max_bytes)
    )
    artifacts.prepare()
    return artifacts


@asynccontextmanager
async def open_engine(
    settings: Settings,
    database: Database,
    *,
    connections: Mapping[str, Connection] | None = None,
    prices: PriceBook | None = None,
) -> AsyncIterator[EngineDesk]:
    """Open the engine; half-written files of processes that died are removed first."""
    artifacts = open_artifacts(settings)
    allowed = allowed_places(settings)
    models = Models(
        StoredModels(database),
        artifacts,
        clock=utc_now,
        judge_deployment=GuardedDeployments(allowed),
    )
    await models.ensure_rules(RULES, name="market-signals", version=RULES_VERSION, task="signals")
    bundles = Bundles(artifacts)

    async def damaged(card: ModelCard, failure: str) -> None:
        if card.artifact is not None:
            await models.quarantine(card.artifact, failure)

    async with Engine(artifacts.open, options=engine_options(settings, connections)) as engine:
        routed = RoutedEngine(engine, artifacts.open, GuardedLine(allowed))
        try:
            yield EngineDesk(
                models=models,
                artifacts=artifacts,
                engine=engine,
                routed=routed,
                bundles=bundles,
                calls=ModelCalls(
                    models,
                    bundles,
                    routed,
                    on_damage=damaged,
                    check=engine.check,
                    costs=CallCosts(
                        StoredCallCosts(database), prices or PriceBook(), clock=utc_now
                    ),
                ),
                views=EngineViews(engine, routed, models, clock=utc_now),
            )
        finally:
            await routed.aclose()
