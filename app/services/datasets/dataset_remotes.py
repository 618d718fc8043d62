"""Versions of datasets between desks, by a DVC repository: pushed whole, verified when pulled.

What a repository says is believed of nothing but descriptions: a version is taken only if its
manifest has the address it is listed by, and its file holds what the manifest says.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import msgspec

from app.domain.datasets import Dataset, DatasetVersion, NewDatasetVersion
from app.domain.errors import Conflict, NotFound
from app.services.datasets.dataset_catalog import CatalogStore, DatasetCatalog
from app.services.datasets.datasets import DatasetStore
from inference.datasets.dvc_repository import RemoteVersion
from inference.datasets.profile import DatasetFeature
from inference.datasets.quality import QualityReport
from inference.datasets.version_files import Manifest, check_version, manifest_from, version_path
from inference.errors import DamagedArtifact


class Repository(Protocol):
    """Where versions are sent; met by `inference.datasets.dvc_repository`."""

    def versions(self, name: str) -> list[RemoteVersion]: ...

    def enter(self, new: RemoteVersion) -> RemoteVersion: ...

    async def prepare(self) -> None: ...

    async def remote(self, said: str | None) -> tuple[str, ...]: ...

    async def push(self, file: Path, *, remote: Sequence[str]) -> str: ...

    async def pull(self, name: str, *, remote: Sequence[str]) -> Path: ...

    def forget(self, name: str) -> None: ...


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is here now."""

    version: DatasetVersion
    listed: RemoteVersion
    fetched: bool
    """False: it was here already, whole."""


class DatasetRemotes:
    """The two use cases."""

    def __init__(
        self, catalog: DatasetCatalog, store: CatalogStore, versions: DatasetStore, root: Path
    ) -> None:
        """Args:
        root: the folder of the versions' files.
        """
        self._catalog = catalog
        self._store = store
        self._versions = versions
        self._root = root

    async def push(
        self, reference: str, repository: Repository, *, remote: str | None
    ) -> RemoteVersion:
        """Send a version (`NAME`, or `NAME@3`); return it as the repository lists it.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: it has no version yet, or its file is not here or damaged.
            DvcFailed: dvc could not send it.
        """
        name, number = _parts(reference)
        dataset = await self._catalog.find(name)
        found = await self._store.profile(dataset.id, number)
        if found is None:
            if number is None:
                raise Conflict(f"{dataset.name} has not been collected yet.", code="not_collected")
            raise NotFound(f"{dataset.name} has no version {number}.", code="unknown_dataset")
        version, profile = found
        path = await self._catalog.verify(dataset, version)
        await repository.prepare()
        chosen = await repository.remote(remote)
        file = await repository.push(path, remote=chosen)
        quality = (
            QualityReport(quality=profile.quality, counts=profile.counts)
            if profile.quality
            else None
        )
        new = RemoteVersion(
            name=dataset.name,
            version=version.version,
            digest=version.digest,
            file=file,
            manifest=version.manifest,
            description=dataset.description,
            size=version.size,
            as_of=version.as_of,
            features=[msgspec.to_builtins(one) for one in profile.features],
            splits=dataset.splits,
            quality={} if quality is None else msgspec.to_builtins(quality),
        )
        return await asyncio.to_thread(repository.enter, new)

    async def pull(self, reference: str, repository: Repository, *, remote: str | None) -> Pulled:
        """Fetch a version that the repository lists, and record it.

        Raises:
            NotFound: the repository does not list it.
            Conflict: the dataset of this name is archived here.
            DamagedArtifact: what came is not what the repository says; nothing was recorded.
            DvcFailed: dvc could not fetch it.
        """
        name, number = _parts(reference)
        listed = await asyncio.to_thread(repository.versions, name)
        chosen = [one for one in listed if number in (None, one.version)]
        if not chosen:
            there = ", ".join(f"@{one.version}" for one in listed) or "none of that name"
            raise NotFound(
                f"The repository does not list {reference}; it has {there}.", code="unknown_dataset"
            )
        entry = chosen[-1]
        manifest = manifest_from(entry.manifest)
        if manifest.digest() != entry.digest:
            raise DamagedArtifact(
                f"the repository's entry of {name}@{entry.version} is not what its address says"
            )
        here = await self._store.find_name(name)
        if here is not None and here.status == "archived":
            raise Conflict(f"{name} is archived here.", code="archived")
        fetched = not await asyncio.to_thread(_is_whole, self._root, manifest)
        if fetched:
            await self._fetch(entry, manifest, repository, remote)
        version = await self._versions.record(
            await self._new(entry, manifest, here, version_path(self._root, manifest))
        )
        return Pulled(version=version, listed=entry, fetched=fetched)

    async def _fetch(
        self,
        entry: RemoteVersion,
        manifest: Manifest,
        repository: Repository,
        remote: str | None,
    ) -> None:
        await repository.prepare()
        chosen = await repository.remote(remote)
        came = await repository.pull(entry.file, remote=chosen)
        try:
            await asyncio.to_thread(check_version, came, manifest)
            await asyncio.to_thread(_keep, came, version_path(self._root, manifest))
        except DamagedArtifact:
            await asyncio.to_thread(repository.forget, entry.file)
            raise
        finally:
            await asyncio.to_thread(came.unlink, missing_ok=True)

    async def _new(
        self, entry: RemoteVersion, manifest: Manifest, here: Dataset | None, path: Path
    ) -> NewDatasetVersion:
        quality = entry.quality and msgspec.to_builtins(
            msgspec.convert(entry.quality, QualityReport)
        )
        return NewDatasetVersion(
            name=entry.name,
            description=entry.description,
            source=await self._source(entry, here.id if here else None),
            features=[
                msgspec.to_builtins(one)
                for one in msgspec.convert(entry.features, list[DatasetFeature])
            ],
            splits=entry.splits,
            digest=entry.digest,
            manifest=msgspec.to_builtins(manifest),
            size=entry.size,
            as_of=entry.as_of,
            storage_location=path.as_uri(),
            quality=quality or {},
        )

    async def _source(self, entry: RemoteVersion, here: UUID | None) -> dict[str, Any]:
        """Return where a dataset is collected from: as it was here, else nowhere on this machine.

        What a repository names as a source is another desk's, and not ours to open.
        """
        known = None if here is None else await self._store.collectable(here)
        if known is None:
            return {"type": "file", "uri": f"dvc:{entry.file}"}
        kept: dict[str, Any] = msgspec.to_builtins(known.source)
        return kept | {
            "wishes": msgspec.to_builtins(known.wishes),
            "anyFile": known.any_file,
            "steps": msgspec.to_builtins(known.preprocessing_steps),
        }


def _parts(reference: str) -> tuple[str, int | None]:
    name, sign, number = reference.rpartition("@")
    if sign and number.isdecimal() and len(number) < 9:
        return name, int(number)
    return reference, None


def _is_whole(root: Path, manifest: Manifest) -> bool:
    try:
        check_version(version_path(root, manifest), manifest)
    except (FileNotFoundError, DamagedArtifact):
        return False
    return True


def _keep(came: Path, target: Path) -> None:
    """Put a file where versions lie; a reader never sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{uuid4().hex}"
    try:
        shutil.copyfile(came, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
