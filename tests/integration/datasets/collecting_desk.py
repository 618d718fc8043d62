"""A desk that collects datasets, and somebody else's Postgres behind a port of this machine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from app.domain.datasets import Dataset, DataSource
from app.domain.jobs import Job
from app.security.sealing import Sealer
from app.services.datasets.dataset_catalog import DatasetCatalog, DatasetWish
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.datasets.dataset_sources import ReadSource
from app.services.jobs import JobPolicy, Jobs
from app.storage.dataset_catalog import StoredDatasets
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.jobs import StoredJobs
from inference.datasets.intake import IntakeWishes
from inference.datasets.quality import Roles

QUICK = JobPolicy(lease_s=5.0, look_every_s=0.05, write_every_s=0.02)
KEY = "a key of a test, long enough to seal with"


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class CollectingDesk:
    """Datasets and their jobs on a real Postgres."""

    def __init__(
        self, database: Database, data_dir: Path, readers: Mapping[str, ReadSource]
    ) -> None:
        self.database = database
        self.root = data_dir / "datasets"
        self.incoming = data_dir / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.store = StoredDatasets(database, Sealer([KEY]))
        self.jobs = Jobs(StoredJobs(database), clock=now, policy=QUICK)
        self.catalog = DatasetCatalog(self.store, self.root)
        self.collecting = DatasetCollecting(
            self.store,
            PostgresDatasets(database),
            self.jobs,
            root=self.root,
            incoming=self.incoming,
            readers=readers,
            clock=now,
        )

    async def enter(
        self,
        source: DataSource,
        credentials: dict[str, str] | None = None,
        *,
        name: str = "outside",
        time: str | None = None,
        **more: Any,
    ) -> Dataset:
        """Enter a dataset."""
        wish = DatasetWish(
            name=name,
            source=source,
            credentials=credentials or {},
            wishes=IntakeWishes(roles=Roles(time=time)),
            **more,
        )
        return await self.catalog.create(wish, by=None)

    async def collect(self, dataset: Dataset) -> Job:
        """Collect it, to the job's end."""
        job = await self.collecting.submit(dataset.id, by=None)
        await self.jobs.work_on(job.id)
        return await self.jobs.wait(job.id)

    async def rows(self, dataset: Dataset, version: int | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a version, the newest by default, once it was seen to be whole."""
        found = await self.catalog.versions(dataset.id)
        which = next(one for one in found if version in (None, one.version))
        path = await self.catalog.verify(dataset, which)
        with duckdb.connect() as database:
            return database.execute(f"SELECT * FROM read_parquet('{path}')").fetchall()

    async def columns(self, dataset: Dataset) -> list[tuple[str, str]]:
        """Return the newest version's columns with their types."""
        (newest, *_) = await self.catalog.versions(dataset.id)
        return [(one["name"], one["type"]) for one in newest.manifest["columns"]]

    async def find(self, dataset_id: UUID) -> Dataset:
        """Return a dataset as it is now."""
        return await self.catalog.get(dataset_id)


@asynccontextmanager
async def behind_a_port(socket: Path) -> AsyncIterator[int]:
    """Lend a port of this machine that leads to a server's unix socket."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one side hung up, which is what the other hears now
        finally:
            writer.close()

    tasks: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside_reader, inside_writer = await asyncio.open_unix_connection(socket)
        for one in (carry(reader, inside_writer), carry(inside_reader, writer)):
            tasks.add(asyncio.create_task(one))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
