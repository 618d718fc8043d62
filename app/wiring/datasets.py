"""Datasets, joined: the list, the collections, and the ways to the sources."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.domain.datasets import DataSource
from app.domain.errors import Invalid, Unavailable
from app.security.outbound import Outbound, OutboundFailed, OutboundRefused
from app.security.people import utc_now
from app.security.sealing import Sealer
from app.services.dataset_catalog import DatasetCatalog
from app.services.dataset_collecting import FETCH_S, MOST_BYTES, DatasetCollecting
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


class OutsideApi:
    """Implements `app.services.dataset_collecting.ReadSource` on an address."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def __call__(
        self, source: DataSource, credentials: Mapping[str, str], target: Path
    ) -> str | None:
        """Write what is at the address to `target`.

        Raises:
            Invalid: the address is not permitted.
            Unavailable: it cannot be had.
        """
        try:
            with target.open("wb") as file:
                await self._outbound.download(
                    source.uri, file.write, most=MOST_BYTES, total_s=FETCH_S, headers=credentials
                )
        except OutboundRefused as refused:
            raise Invalid(f"`source.uri`: {refused.reason}", code="address_refused") from None
        except OutboundFailed as failed:
            raise Unavailable(
                f"It cannot be fetched. {failed.reason}", code="not_fetched"
            ) from None
        return None


def open_datasets(
    settings: Settings, database: Database, sealer: Sealer, jobs: Jobs
) -> DatasetDesk:
    """Open the desk's datasets; collections are done by whoever enters `jobs`."""
    root = settings.data_dir / "datasets"
    store = StoredDatasets(database, sealer)
    return DatasetDesk(
        catalog=DatasetCatalog(store, root),
        collecting=DatasetCollecting(
            store,
            PostgresDatasets(database),
            jobs,
            root=root,
            incoming=settings.data_dir / INCOMING,
            readers={
                "api": OutsideApi(Outbound(allowed_places(settings))),
            },
            clock=utc_now,
        ),
    )
