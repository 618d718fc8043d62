"""Collecting datasets as jobs: fetched, written as a version, described, judged.

While it is fetched a dataset is `collecting`, then `processing`, then `ready`. What fails leaves it
as it was: an older version stays the newest.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from app.domain.datasets import Collectable, DatasetVersion, NewDatasetVersion
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.jobs import Job
from app.services.datasets.dataset_apis import ApiPlan, rows_in
from app.services.datasets.dataset_catalog import CatalogStore
from app.services.datasets.dataset_sources import BARS_OF_THE_DESK, Fetch, Fetched, ReadSource
from app.services.datasets.dataset_streams import Origin, read_origin
from app.services.datasets.datasets import DatasetStore
from app.services.job_runs import JobFailed, JobRun
from app.services.jobs import Jobs
from inference.datasets.intake import (
    Format,
    TableManifest,
    Taken,
    check_table,
    table_path,
    take_in,
)
from inference.errors import DamagedArtifact

KIND = "dataset.collect"
MOST_BYTES = 4 * 1024**3
FETCH_S = 1_800.0
"""An outside source is given up after so long."""
ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}


class DatasetCollecting:
    """Registers the work and takes orders for it."""

    def __init__(
        self,
        catalog: CatalogStore,
        versions: DatasetStore,
        jobs: Jobs,
        *,
        root: Path,
        incoming: Path,
        readers: Mapping[str, ReadSource],
        clock: Callable[[], datetime],
    ) -> None:
        """Args:
        root: the folder of the versions' files.
        incoming: files that may be named over the network lie below it.
        """
        self._catalog = catalog
        self._versions = versions
        self._jobs = jobs
        self._root = root
        self._incoming = incoming
        self._readers = readers
        self._clock = clock
        jobs.register(KIND, self._collect)

    async def submit(self, dataset_id: UUID, *, by: UserId | None) -> Job:
        """Queue a collection; the one that is under way, if there is one.

        Raises:
            NotFound: there is no such dataset.
            Conflict: it is archived, or made by a training.
        """
        found = await self._catalog.find(dataset_id)
        if found is None:
            raise NotFound("There is no such dataset.", code="unknown_dataset")
        if found.status == "archived":
            raise Conflict(f"{found.name} is archived.", code="archived")
        if found.source.uri == BARS_OF_THE_DESK:
            raise Conflict(
                f"{found.name} is made by trainings, not collected.", code="made_by_desk"
            )
        return await self._jobs.submit(
            KIND,
            title=f"collecting {found.name}",
            payload={"datasetId": str(dataset_id), "by": str(by) if by else None},
            owner=by,
            dedupe_key=f"{KIND} {dataset_id}",
        )

    async def _collect(self, run: JobRun) -> dict[str, Any]:
        dataset_id = UUID(run.payload["datasetId"])
        wanted = await self._catalog.collectable(dataset_id)
        if wanted is None:
            raise JobFailed("The dataset has gone.")
        done = False
        try:
            await self._catalog.set_status(dataset_id, "collecting")
            await run.progress(2.0, "fetching")
            with tempfile.TemporaryDirectory(prefix="outcry-dataset-") as folder:
                brought = await self._bring(run, wanted, Path(folder))
                if brought.nothing_new is not None:
                    version = brought.nothing_new
                else:
                    await self._catalog.set_status(dataset_id, "processing")
                    taken = await self._taken(run, wanted, brought)
                    by = run.payload.get("by")
                    version = await self._versions.record(
                        _version(wanted, taken, brought, by and UUID(by))
                    )
            await self._catalog.set_status(dataset_id, "ready")
            done = True
            result = {
                "datasetId": str(dataset_id),
                "version": version.version,
                "digest": version.digest,
                "size": version.size,
            }
            more = {"refused": brought.refused, "lost": brought.lost}
            return result | {name: told for name, told in more.items() if told}
        finally:
            if not done:
                await self._back(wanted)

    async def _back(self, wanted: Collectable) -> None:
        """Leave the dataset as it was."""
        status = wanted.status
        if status in {"collecting", "processing", "ready"}:
            known = await self._catalog.versions(wanted.id, most=1)
            status = "ready" if known else "collecting"
        await self._catalog.set_status(wanted.id, status)

    async def _taken(self, run: JobRun, wanted: Collectable, brought: "_Brought") -> Taken:
        loop = asyncio.get_running_loop()

        def progress(share: float, stage: str) -> None:
            told = asyncio.run_coroutine_threadsafe(run.progress(30.0 + 65.0 * share, stage), loop)
            told.result(timeout=60.0)

        return await asyncio.to_thread(
            take_in,
            brought.path,
            brought.format,
            self._root,
            wanted.wishes,
            now=self._clock(),
            steps=wanted.preprocessing_steps,
            after=brought.after,
            origin=None if brought.origin is None else msgspec.to_builtins(brought.origin),
            progress=progress,
        )

    async def _bring(self, run: JobRun, wanted: Collectable, folder: Path) -> "_Brought":
        source, path = wanted.source, folder / "fetched"
        if source.type == "file":
            path = await asyncio.to_thread(self._file, source.uri, any_file=wanted.any_file)
            said = source.format or ENDINGS.get(path.suffix.lower())
            return await _readable(path, said, folder)
        if source.type == "stream":
            return await self._read_on(run, wanted, path)
        found = await self._read(wanted, _fetch(run, wanted, path))
        ending = Path(urlsplit(source.uri).path).suffix.lower()
        return await _readable(path, found.format or source.format or ENDINGS.get(ending), folder)

    async def _read_on(self, run: JobRun, wanted: Collectable, path: Path) -> "_Brought":
        """Read what came since the newest version, whose rows the new one begins with."""
        newest = next(iter(await self._catalog.versions(wanted.id, most=1)), None)
        before = None if newest is None else read_origin(newest.manifest)
        after = None
        if newest is not None:
            after = await asyncio.to_thread(_intact, self._root, newest)
        fetch = msgspec.structs.replace(
            _fetch(run, wanted, path), before=before, whole=before is not None and after is None
        )
        found = await self._read(wanted, fetch)
        if not found.rows and newest is None:
            refused = ", ".join(f"{count:,} {why}" for why, count in found.refused.items())
            raise JobFailed(
                "There are no messages to make rows of" + (f": {refused}." if refused else " yet.")
            )
        same = found.origin == before and not fetch.whole
        return _Brought(
            path=path,
            format="jsonl",
            after=after,
            origin=found.origin,
            refused=found.refused,
            lost=found.lost,
            follows="" if newest is None else newest.digest,
            nothing_new=newest if same or not found.rows else None,
        )

    async def _read(self, wanted: Collectable, fetch: Fetch) -> Fetched:
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._readers[wanted.source.type](fetch)
        except TimeoutError:
            raise JobFailed(f"The source did not give everything in {FETCH_S:g} s.") from None

    def _file(self, uri: str, *, any_file: bool) -> Path:
        path = Path(uri.removeprefix("file://"))
        if not any_file:
            incoming = self._incoming.resolve()
            path = (incoming / path).resolve()
            if not path.is_relative_to(incoming):
                raise Invalid(f"`source.uri` must name a file below {self._incoming.name}/.")
        if not path.is_file():
            raise Invalid(f"There is no file {uri}.")
        return path


class _Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a source gave, ready to be read."""

    path: Path
    format: Format
    after: Path | None = None
    """The file of the version whose rows come first."""
    origin: Origin | None = None
    refused: dict[str, int] = {}
    lost: dict[str, tuple[int, int]] = {}
    follows: str | None = None
    nothing_new: DatasetVersion | None = None
    """The newest version, where it holds all there is."""


def _fetch(run: JobRun, wanted: Collectable, target: Path) -> Fetch:
    async def told(rows: int) -> None:
        # How many there will be is not known: a share would be invented.
        await run.progress(2.0, f"fetching, {rows:,} rows so far")

    return Fetch(source=wanted.source, credentials=wanted.credentials, target=target, told=told)


def _intact(root: Path, version: DatasetVersion) -> Path | None:
    """Return the file of a version, if it is here and what it says."""
    path = table_path(root, version.digest)
    try:
        check_table(path, msgspec.convert(version.manifest, TableManifest))
    except (FileNotFoundError, DamagedArtifact):
        return None
    return path


async def _readable(path: Path, said: str | None, folder: Path) -> _Brought:
    if said is None:
        raise Invalid("`source.format` must say whether it is csv, parquet, jsonl or json.")
    if said == "json":
        lines = folder / "rows.jsonl"
        await asyncio.to_thread(_as_lines, path, lines)
        return _Brought(path=lines, format="jsonl")
    return _Brought(path=path, format=cast("Format", said))


def _as_lines(path: Path, target: Path) -> None:
    """Write a JSON array of objects, or an object that holds one, a line each."""
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Invalid(f"What came is no JSON: {wrong}.") from None
    with target.open("wb") as out:
        for row in rows_in(found, ApiPlan()):
            out.write(msgspec.json.encode(row) + b"\n")


def _version(
    wanted: Collectable, taken: Taken, brought: _Brought, by: UUID | None
) -> NewDatasetVersion:
    kept: dict[str, Any] = msgspec.to_builtins(wanted.source)
    kept |= {
        "wishes": msgspec.to_builtins(wanted.wishes),
        "anyFile": wanted.any_file,
        "steps": msgspec.to_builtins(wanted.preprocessing_steps),
    }
    return NewDatasetVersion(
        name=wanted.name,
        description=wanted.description,
        source=kept,
        features=[msgspec.to_builtins(one) for one in taken.features],
        splits=taken.splits,
        digest=taken.manifest.digest(),
        manifest=msgspec.to_builtins(taken.manifest),
        size=taken.manifest.rows,
        as_of=taken.as_of,
        storage_location=taken.path.as_uri(),
        created_by=by,
        quality=msgspec.to_builtins(taken.report),
        preprocessing_steps=taken.steps,
        follows=brought.follows,
    )
