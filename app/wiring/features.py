"""The feature store, joined: its tables, its files, where rows come from, and its jobs."""

import msgspec

from app.security.people import utc_now
from app.services.datasets.feature_materializing import FeatureMaterializing
from app.services.datasets.feature_sources import DatasetFeatures, FeatureSource, MarketFeatures
from app.services.datasets.feature_store import FeatureStore
from app.services.jobs import Jobs
from app.services.predictions.stored_inputs import StoredInputs
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


class FeatureTables(msgspec.Struct, kw_only=True):
    """The store itself, which predictions read before there is a market to fill it from."""

    tables: PostgresFeatures
    offline: OfflineFeatures
    store: FeatureStore
    inputs: StoredInputs


def open_feature_store(
    settings: Settings, database: Database, datasets: DatasetDesk
) -> FeatureTables:
    """Open the desk's feature store, to be read."""
    tables = PostgresFeatures(database)
    offline = OfflineFeatures(settings.data_dir / "features")
    store = FeatureStore(tables, offline, datasets.catalog, VIEWS, clock=utc_now)
    inputs = StoredInputs(store)
    return FeatureTables(tables=tables, offline=offline, store=store, inputs=inputs)


def open_features(
    opened: FeatureTables, *, market: MarketDesk, datasets: DatasetDesk, jobs: Jobs
) -> FeatureDesk:
    """Let the store be filled; materialisations are done by whoever enters `jobs`."""
    sources: dict[str, FeatureSource] = {
        "market": MarketFeatures(market.instruments, market.bars, VIEWS, clock=utc_now),
        "dataset": DatasetFeatures(datasets.catalog),
    }
    return FeatureDesk(
        store=opened.store,
        offline=opened.offline,
        materializing=FeatureMaterializing(
            opened.store, opened.tables, opened.offline, sources, jobs, clock=utc_now
        ),
    )
