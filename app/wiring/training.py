"""Training, joined: recipes, where they run, and the models that a desk trains by itself."""

import os

import msgspec

from app.security.people import utc_now
from app.services.datasets.datasets import Datasets
from app.services.jobs import Jobs
from app.services.models.model_speed import SpeedProbe
from app.services.training.default_models import DefaultModels
from app.services.training.trained_models import RegisteredModels
from app.services.training.training import Training, TrainingPolicy
from app.settings import Settings
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.trainings import StoredTrainings
from app.wiring.engine import EngineDesk
from app.wiring.market import MarketDesk
from inference.datasets.catalog import VIEWS
from inference.training.backends.backend import Backend
from inference.training.backends.local import LocalBackend
from inference.training.backends.ray import RayBackend
from inference.training.catalog import RECIPES


class TrainingDesk(msgspec.Struct, kw_only=True):
    """Everything about training that is open."""

    datasets: Datasets
    service: Training
    defaults: DefaultModels


def open_training(
    settings: Settings, database: Database, *, engine: EngineDesk, market: MarketDesk, jobs: Jobs
) -> TrainingDesk:
    """Open the desk's training; its jobs are done by whoever enters `jobs`."""
    address = settings.ray_address

    def on_ray() -> Backend:
        return RayBackend(address or "auto", environment=os.environ)

    datasets = Datasets(
        PostgresDatasets(database), market.instruments, market.bars, settings.data_dir / "datasets"
    )
    probe = SpeedProbe(engine.engine, engine.bundles, datasets, VIEWS, clock=utc_now)
    models = RegisteredModels(engine.models, engine.artifacts, probe=probe)
    history = StoredTrainings(database)
    service = Training(
        models,
        datasets,
        jobs,
        history,
        recipes=RECIPES,
        # Without a cluster's address there is nothing that a training could be sent to.
        backends={"ray": on_ray, "local": LocalBackend} if address else {"local": LocalBackend},
        root=settings.data_dir / "training",
        clock=utc_now,
        policy=TrainingPolicy(memory_bytes=settings.train_memory_mib * 1024**2 or None),
    )
    defaults = DefaultModels(
        service,
        models,
        history,
        market.instruments,
        clock=utc_now,
        retrain_days=settings.retrain_days,
    )
    return TrainingDesk(datasets=datasets, service=service, defaults=defaults)
