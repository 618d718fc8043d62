"""The feature store, joined: its tables, its files, where rows come from, and its jobs."""

import msgspec

from app.security.people import utc_now
from app.services.feature_materializing import FeatureMaterializing
from app.services.feature_sources import DatasetFeatures, FeatureSource, MarketFeatures
from app.services.feature_store import FeatureStore
from app.services.jobs import Jobs
from app.settings import Settings
from app.storage.engine import Database
from app.storage.features import PostgresFeatures
from app.wiring.datasets import DatasetDesk
from app.wiring.market import MarketDesk
from inference.datasets.catalog import VIEWS
from inference.datasets.offline_features import OfflineFeatures


class FeatureDesk(msgspec.Struct, kw_only=True):
    """Everything about features that is open."""

    store: FeatureStore
    offline: OfflineFeatures
    materializing: FeatureMaterializing


def open_features(
    settings: Settings,
    database: Database,
    *,
    market: MarketDesk,
    datasets: DatasetDesk,
    jobs: Jobs,
) -> FeatureDesk:
    """Open the desk's feature store; materialisations are done by whoever enters `jobs`."""
    tables = PostgresFeatures(database)
    offline = OfflineFeatures(settings.data_dir / "features")
    store = FeatureStore(tables, offline, datasets.catalog, VIEWS, clock=utc_now)
    sources: dict[str, FeatureSource] = {
        "market": MarketFeatures(market.instruments, market.bars, VIEWS, clock=utc_now),
        "dataset": DatasetFeatures(datasets.catalog),
    }
    return FeatureDesk(
        store=store,
        offline=offline,
        materializing=FeatureMaterializing(store, tables, offline, sources, jobs, clock=utc_now),
    )
