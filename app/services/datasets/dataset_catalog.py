"""Datasets as people manage them: named, described, collected, looked at, archived."""

import asyncio
import math
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.datasets import (
    Collectable,
    Dataset,
    DatasetProfile,
    DatasetStatus,
    DatasetType,
    DatasetVersion,
    DataSource,
    NewDataset,
)
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId, new_id
from app.domain.text import clean_text
from app.domain.views import Position
from app.services.datasets.dataset_sources import check_source
from app.services.paging import Page, checked_limit, cut, decode_cursor
from inference.bundle import PreprocessingStep
from inference.datasets.fitting import FITS
from inference.datasets.intake import IntakeWishes
from inference.datasets.steps import STEPS
from inference.datasets.version_files import check_version, manifest_from, version_path
from inference.errors import DamagedArtifact

_LONGEST_NAME = 200
_MOST_VERSIONS = 200


class CatalogStore(Protocol):
    """Keeps datasets; met by `app.storage.dataset_catalog`."""

    async def create(self, new: NewDataset, credentials: dict[str, str]) -> bool: ...

    async def page(
        self, *, type: str | None, status: str | None, before: Position | None, limit: int
    ) -> list[Dataset]: ...

    async def find(self, dataset_id: UUID) -> Dataset | None: ...

    async def find_name(self, name: str) -> Dataset | None: ...

    async def collectable(self, dataset_id: UUID) -> Collectable | None: ...

    async def set_status(self, dataset_id: UUID, status: DatasetStatus) -> None: ...

    async def versions(self, dataset_id: UUID, *, most: int) -> list[DatasetVersion]: ...

    async def profile(
        self, dataset_id: UUID, version: int | None
    ) -> tuple[DatasetVersion, DatasetProfile] | None: ...


class DatasetWish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be collected."""

    name: str
    description: str = ""
    type: DatasetType = "training"
    source: DataSource
    credentials: dict[str, str] = {}
    wishes: IntakeWishes = IntakeWishes()
    preprocessing_steps: tuple[PreprocessingStep, ...] = ()


class DatasetCatalog:
    """The use cases."""

    def __init__(self, store: CatalogStore, root: Path) -> None:
        """Args:
        root: the folder of the versions' files.
        """
        self._store = store
        self._root = root

    async def create(
        self, wish: DatasetWish, *, by: UserId | None, any_file: bool = False
    ) -> Dataset:
        """Enter a dataset; nothing is fetched yet.

        `any_file`: whoever asks may read every file of this machine.

        Raises:
            Invalid: something in it is not allowed; says what is.
            Conflict: the name is taken.
        """
        name = clean_text(wish.name).strip()
        if not 0 < len(name) <= _LONGEST_NAME:
            raise Invalid(f"`name` must have from 1 to {_LONGEST_NAME} characters.")
        check_wish(wish)
        new = NewDataset(
            id=new_id(),
            name=name,
            description=clean_text(wish.description),
            type=wish.type,
            source=wish.source,
            wishes=wish.wishes,
            any_file=any_file,
            preprocessing_steps=wish.preprocessing_steps,
            created_by=by,
        )
        if not await self._store.create(new, wish.credentials):
            raise Conflict(f"There is a dataset {name!r} already.", code="name_taken")
        return await self.get(new.id)

    async def page(
        self, *, type: str | None, status: str | None, cursor: str | None, limit: int
    ) -> Page[Dataset]:
        """Return datasets, newest first."""
        items = await self._store.page(
            type=type,
            status=status,
            before=decode_cursor(cursor),
            limit=checked_limit(limit) + 1,
        )
        return cut(items, limit, lambda one: (one.created_at, one.id))

    async def get(self, dataset_id: UUID) -> Dataset:
        """Return one dataset.

        Raises:
            NotFound: there is none.
        """
        found = await self._store.find(dataset_id)
        if found is None:
            raise NotFound("There is no such dataset.", code="unknown_dataset")
        return found

    async def find(self, reference: str) -> Dataset:
        """Return a dataset by its id or name.

        Raises:
            NotFound: there is none.
        """
        try:
            return await self.get(UUID(reference))
        except ValueError:
            found = await self._store.find_name(clean_text(reference))
        if found is None:
            raise NotFound(f"There is no dataset {reference!r}.", code="unknown_dataset")
        return found

    async def versions(self, dataset_id: UUID) -> list[DatasetVersion]:
        """Return a dataset's newest versions, newest first.

        Raises:
            NotFound: there is no such dataset.
        """
        await self.get(dataset_id)
        return await self._store.versions(dataset_id, most=_MOST_VERSIONS)

    async def profile(self, dataset_id: UUID, version: int | None = None) -> DatasetProfile:
        """Return what is in a version, once its file has been seen to be what it says.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: it has no version yet, or the file has changed: the dataset is `corrupted`.
        """
        dataset = await self.get(dataset_id)
        found = await self._store.profile(dataset_id, version)
        if found is None:
            if version is not None:
                raise NotFound(f"There is no version {version}.", code="unknown_dataset")
            raise Conflict(f"{dataset.name} has not been collected yet.", code="not_collected")
        recorded, profile = found
        await self.verify(dataset, recorded)
        return profile

    async def verify(self, dataset: Dataset, version: DatasetVersion) -> Path:
        """See that a version's file is what its manifest says, and return it.

        Raises:
            Conflict: it is not here, or has changed: the dataset is `corrupted`.
        """
        try:
            return await asyncio.to_thread(self._check, version)
        except FileNotFoundError:
            raise Conflict(
                f"The file of {version.name}@{version.version} is not on this machine.",
                code="dataset_not_here",
            ) from None
        except DamagedArtifact as damaged:
            if dataset.status != "archived":
                await self._store.set_status(dataset.id, "corrupted")
            raise Conflict(f"{damaged}.", code="damaged_artifact") from damaged

    def _check(self, version: DatasetVersion) -> Path:
        manifest = manifest_from(version.manifest)
        path = version_path(self._root, manifest)
        check_version(path, manifest)
        return path

    async def archive(self, dataset_id: UUID) -> Dataset:
        """Put a dataset away: it is kept, and not collected any more.

        Raises:
            NotFound: there is none.
        """
        await self.get(dataset_id)
        await self._store.set_status(dataset_id, "archived")
        return await self.get(dataset_id)


def check_wish(wish: DatasetWish) -> None:
    """See that a source can be asked, and that the rest makes sense.

    Raises:
        Invalid: it cannot; says what is allowed.
    """
    check_source(wish.source, wish.credentials)
    shares = wish.wishes.shares
    if not all(math.isfinite(one) and one > 0 for one in shares) or abs(sum(shares) - 1) > 1e-9:
        raise Invalid("`splits` must be three shares above 0 that add up to 1.")
    if not (math.isfinite(wish.wishes.embargo_s) and 0 <= wish.wishes.embargo_s <= 1e9):
        raise Invalid("`embargoSeconds` must be a number of seconds, not below 0.")
    for step in wish.preprocessing_steps:
        if step.type not in STEPS:
            raise Invalid(
                f"There is no preprocessing step {step.type!r}; fitted are {', '.join(FITS)}; "
                f"all: {', '.join(STEPS)}."
            )
