"""A desk's feature store on a real Postgres, with made-up markets and files to collect."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.domain.datasets import DataSource
from app.domain.jobs import Job
from app.security.sealing import Sealer
from app.services.datasets.dataset_catalog import DatasetCatalog, DatasetWish
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.datasets.datasets import Datasets
from app.services.datasets.feature_materializing import FeatureMaterializing
from app.services.datasets.feature_sources import DatasetFeatures, FeatureSource, MarketFeatures
from app.services.datasets.feature_store import FeatureStore
from app.services.jobs import JobPolicy, Jobs
from app.services.predictions.features import FeatureReader
from app.storage.bars import PostgresBars
from app.storage.dataset_catalog import StoredDatasets
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.features import PostgresFeatures
from app.storage.instruments import PostgresInstruments
from app.storage.jobs import StoredJobs
from inference.datasets.catalog import VIEWS
from inference.datasets.offline_features import OfflineFeatures
from tests.fakes.panels import random_bars
from tools.market.instruments import Instrument

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUICK = JobPolicy(lease_s=2.0, look_every_s=0.05, write_every_s=0.0)


class FeatureDesk:
    """Everything about features that is open, and shorthand for using it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.now = NOW
        self.database, self.folder = database, folder
        clock = lambda: self.now  # noqa: E731
        self.instruments, self.bars = PostgresInstruments(database), PostgresBars(database)
        self.jobs = Jobs(StoredJobs(database), clock=clock, policy=QUICK)
        catalog = StoredDatasets(database, Sealer(["a key of a test, long enough to seal with"]))
        self.catalog = DatasetCatalog(catalog, folder / "datasets")
        self.collecting = DatasetCollecting(
            catalog,
            PostgresDatasets(database),
            self.jobs,
            root=folder / "datasets",
            incoming=folder,
            readers={},
            clock=clock,
        )
        self.datasets = Datasets(
            PostgresDatasets(database), self.instruments, self.bars, folder / "datasets"
        )
        self.tables = PostgresFeatures(database)
        self.offline = OfflineFeatures(folder / "features")
        self.store = FeatureStore(self.tables, self.offline, self.catalog, VIEWS, clock=clock)
        self.sources: dict[str, FeatureSource] = {
            "market": MarketFeatures(self.instruments, self.bars, VIEWS, clock=clock),
            "dataset": DatasetFeatures(self.catalog),
        }
        self.materializing = FeatureMaterializing(
            self.store, self.tables, self.offline, self.sources, self.jobs, clock=clock
        )
        self.reader = FeatureReader(self.instruments, self.bars, VIEWS, clock=clock)

    async def stock(self, *symbols: str, bars: int = 400, start: str = "2024-06-20") -> None:
        """Give the desk instruments with made-up bars, the last of which closed before now."""
        for symbol in symbols:
            await self.instruments.put(Instrument(symbol=symbol, name=symbol, source="made up"))
            await self.bars.replace(random_bars(symbol, bars, start=start))

    async def materialize(self, view: str) -> dict[str, Any]:
        """Materialise a view; return what came out."""
        job = await self.materializing.submit(view, by=None)
        ended = await self.done(job)
        assert ended.status == "completed", ended.error
        assert ended.result is not None
        return ended.result

    async def done(self, job: Job) -> Job:
        """Do a job; return it when it has ended."""
        await self.jobs.work_on(job.id)
        return await self.jobs.wait(job.id)

    async def collect(self, name: str, lines: Sequence[str]) -> None:
        """Make the lines of a CSV file the newest version of a dataset; the first are the names."""
        file = self.folder / f"{name}.csv"
        file.write_text("\n".join(lines) + "\n")
        if not any(one.name == name for one in (await self._all())):
            wish = DatasetWish(name=name, source=DataSource(type="file", uri=file.name))
            await self.catalog.create(wish, by=None)
        dataset = await self.catalog.find(name)
        ended = await self.done(await self.collecting.submit(dataset.id, by=None))
        assert ended.status == "completed", ended.error
        # A version is known since the database's own clock says: a test's clock goes along.
        await self.database.execute(
            "UPDATE dataset_versions SET created_at = $1 WHERE dataset_id = $2 AND version ="
            " (SELECT max(version) FROM dataset_versions WHERE dataset_id = $2)",
            self.now,
            dataset.id,
        )

    async def _all(self) -> Sequence[Any]:
        return (await self.catalog.page(type=None, status=None, cursor=None, limit=100)).items


def days_ago(days: float) -> datetime:
    """Return so many days before the desk's first now."""
    return NOW - timedelta(days=days)
