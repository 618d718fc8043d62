"""Datasets, joined: the list, the collections, and the ways to the sources."""

import msgspec

from app.doors.outside_api import OutsideApi
from app.doors.outside_database import OutsideDatabase
from app.security.outbound import Outbound
from app.security.people import utc_now
from app.security.sealing import Sealer
from app.services.datasets.dataset_catalog import DatasetCatalog
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.datasets.dataset_remotes import DatasetRemotes
from app.services.datasets.dataset_sources import Fetch, Fetched
from app.services.jobs import Jobs
from app.settings import Settings
from app.storage.dataset_catalog import StoredDatasets
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.wiring.alerts import allowed_places

INCOMING = "incoming"


class DatasetDesk(msgspec.Struct, kw_only=True):
    """Everything about datasets that is open."""

    catalog: DatasetCatalog
    collecting: DatasetCollecting
    remotes: DatasetRemotes
    """To other desks, and from them."""


def open_datasets(
    settings: Settings, database: Database, sealer: Sealer, jobs: Jobs
) -> DatasetDesk:
    """Open the desk's datasets; collections are done by whoever enters `jobs`."""
    root = settings.data_dir / "datasets"
    store = StoredDatasets(database, sealer)
    outbound = Outbound(allowed_places(settings))
    catalog, versions = DatasetCatalog(store, root), PostgresDatasets(database)

    async def read_topic(fetch: Fetch) -> Fetched:
        # Only who reads a topic pays for Kafka's client.
        from app.doors.outside_stream import OutsideStream  # noqa: PLC0415

        return await OutsideStream(outbound, settings.kafka)(fetch)

    return DatasetDesk(
        catalog=catalog,
        remotes=DatasetRemotes(catalog, store, versions, root),
        collecting=DatasetCollecting(
            store,
            versions,
            jobs,
            root=root,
            incoming=settings.data_dir / INCOMING,
            readers={
                "api": OutsideApi(outbound),
                "database": OutsideDatabase(outbound),
                "stream": read_topic,
            },
            clock=utc_now,
        ),
    )
