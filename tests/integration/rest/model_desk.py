"""The registry of a test's desk, with files in a folder and a web of what a test put there."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.errors import NotFound, Unavailable
from app.doors.outside_api import OutsideApi
from app.security.outbound import Allowed, Outbound
from app.security.sealing import Sealer
from app.services.alerts.alert_ports import Silence
from app.services.datasets.dataset_catalog import DatasetCatalog
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.datasets.feature_materializing import FeatureMaterializing
from app.services.datasets.feature_sources import DatasetFeatures, FeatureSource, MarketFeatures
from app.services.datasets.feature_store import FeatureStore
from app.services.experiments.experiments import Experiments
from app.services.jobs import Jobs
from app.services.models.engine_view import EngineViews
from app.services.models.model_alarms import ModelAlarms
from app.services.models.model_files import ModelFiles
from app.services.models.model_health import ModelHealth
from app.services.models.model_imports import ModelImports
from app.services.models.models import Models
from app.storage.bars import PostgresBars
from app.storage.dataset_catalog import StoredDatasets
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.experiments import StoredExperiments
from app.storage.features import PostgresFeatures
from app.storage.instruments import PostgresInstruments
from app.storage.model_alarms import StoredModelAlarms
from app.storage.model_reports import StoredModelReports
from app.storage.models import StoredModels
from app.wiring.bundles import Bundles
from app.wiring.remote import GuardedDeployments, GuardedLine
from inference.artifacts import ArtifactStore
from inference.datasets.catalog import VIEWS
from inference.datasets.offline_features import OfflineFeatures
from inference.engine.in_process import InProcessEngine
from inference.engine.remote import RoutedEngine
from inference.formats.folder import FolderLimits
from inference.runtimes.catalog import runtime_for


class NoModels:
    """A registry without a model."""

    async def find(self, ref: str) -> None:
        """Know nothing."""
        raise NotFound(f"There is no model {ref!r}.")


class ModelDesk:
    """The registry and its ways in and out."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="outcry-models-"))
        self.artifacts = ArtifactStore(self.root, limits=FolderLimits(bytes_in_all=2_000_000))
        self.artifacts.prepare()
        self.models = Models(
            StoredModels(database),
            self.artifacts,
            clock=lambda: datetime.now(UTC),
            judge_deployment=GuardedDeployments(Allowed.read(["127.0.0.1:8085"])),
        )
        self.files = ModelFiles(
            self.models,
            self.artifacts,
            self._fetch,
            sources=["https://models.example.org/outcry/"],
            most=1_000_000,
        )
        self.imports = ModelImports(jobs, self.files)
        clock = lambda: datetime.now(UTC)  # noqa: E731
        self.experiments = Experiments(StoredExperiments(database), self.models, clock=clock)
        self.alarms = ModelAlarms(StoredModelAlarms(database), Silence(), clock=clock)
        self.health = ModelHealth(
            StoredModelReports(database),
            self.models,
            Bundles(self.artifacts),
            PostgresBars(database),
            VIEWS,
            clock=clock,
        )
        engine = InProcessEngine(self.artifacts.open, runtime_for=runtime_for)
        routed = RoutedEngine(engine, self.artifacts.open, GuardedLine(Allowed()))
        self.engine_views = EngineViews(engine, routed, self.models, clock=clock)
        catalog = StoredDatasets(database, Sealer(["a key of a test, long enough to seal with"]))
        self.datasets = DatasetCatalog(catalog, self.root / "datasets")
        self.incoming = self.root / "incoming"
        self.incoming.mkdir()
        self.collecting = DatasetCollecting(
            catalog,
            PostgresDatasets(database),
            jobs,
            root=self.root / "datasets",
            incoming=self.incoming,
            readers={
                "api": OutsideApi(Outbound(Allowed())),
            },
            clock=clock,
        )
        tables, offline = PostgresFeatures(database), OfflineFeatures(self.root / "features")
        self.features = FeatureStore(tables, offline, self.datasets, VIEWS, clock=clock)
        instruments, bars = PostgresInstruments(database), PostgresBars(database)
        sources: dict[str, FeatureSource] = {
            "market": MarketFeatures(instruments, bars, VIEWS, clock=clock),
            "dataset": DatasetFeatures(self.datasets),
        }
        self.materializing = FeatureMaterializing(
            self.features, tables, offline, sources, jobs, clock=clock
        )
        self.web: dict[str, bytes] = {}

    def services(self) -> dict[str, Any]:
        """Return what the door opens onto of these."""
        return {
            "models": self.models,
            "model_files": self.files,
            "model_imports": self.imports,
            "experiments": self.experiments,
            "model_health": self.health,
            "engine_views": self.engine_views,
            "model_alarms": self.alarms,
            "datasets": self.datasets,
            "collecting": self.collecting,
            "features": self.features,
            "materializing": self.materializing,
        }

    async def _fetch(
        self, url: str, write: Callable[[bytes], object], *, most: int, total_s: float
    ) -> int:
        data = self.web[url]
        if len(data) > most:
            raise Unavailable("It has too many bytes.")
        write(data)
        return len(data)

    def close(self) -> None:
        """Remove the files, of which some are read-only."""
        subprocess.run(["chmod", "-R", "u+w", str(self.root)], check=True)
        shutil.rmtree(self.root)
