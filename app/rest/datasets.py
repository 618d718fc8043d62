"""`/datasets`: what models learn from, where it came from, and how good it is."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.domain.datasets import (
    Dataset,
    DatasetProfile,
    DatasetStatus,
    DatasetType,
    DatasetVersion,
    DataSource,
    SourceType,
)
from app.domain.jobs import Job
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_administer, may_read
from app.services.datasets.dataset_catalog import DatasetCatalog, DatasetWish
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.paging import DEFAULT_LIMIT, Page
from inference.bundle import PreprocessingStep
from inference.datasets.intake import IntakeWishes
from inference.datasets.quality import Roles


class SourceBody(Body, frozen=True):
    """The seed's DataSource. `credentials` are sealed and never come back."""

    type: SourceType
    uri: str
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    query: str | None = None
    format: str | None = None


class RolesBody(Body, frozen=True):
    """Which columns say when, of whom, and when it was known."""

    time: str | None = None
    entity: str | None = None
    known: str | None = None


class SplitsBody(Body, frozen=True):
    """Shares of the rows by time."""

    train: float
    validation: float
    test: float


class StepBody(Body, frozen=True):
    """One step of preprocessing, to be fitted on the rows of training."""

    type: str
    order: int
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class DatasetBody(Body, frozen=True):
    """What is to be collected."""

    name: str
    source: SourceBody
    description: str = ""
    type: DatasetType = "training"
    roles: RolesBody = RolesBody()
    splits: SplitsBody = SplitsBody(train=0.6, validation=0.2, test=0.2)
    embargo_seconds: float = 0.0
    preprocessing_steps: tuple[StepBody, ...] = ()


class Versions(msgspec.Struct, frozen=True):
    """A dataset's versions, newest first."""

    items: list[DatasetVersion]


class DatasetsController(Controller):
    """Everybody may read datasets; administrators make them."""

    path = "/datasets"
    tags = ("Datasets",)

    @get("/", guards=[may_read], summary="Datasets")
    async def page(
        self,
        datasets: NamedDependency[DatasetCatalog],
        type: Annotated[DatasetType | None, QueryParameter(name="type")] = None,
        status: FromQuery[DatasetStatus | None] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Dataset]:
        """Return datasets, newest first."""
        return await datasets.page(type=type, status=status, cursor=cursor, limit=limit)

    @post("/", guards=[may_administer], summary="Enter a dataset")
    async def create(
        self,
        data: JSONBody[DatasetBody],
        principal: NamedDependency[Principal],
        datasets: NamedDependency[DatasetCatalog],
    ) -> Dataset:
        """Enter a dataset; `collect` fetches it."""
        return await datasets.create(_wish(data), by=principal.user_id)

    @get("/{dataset_id:uuid}", guards=[may_read], summary="One dataset")
    async def one(
        self, dataset_id: FromPath[UUID], datasets: NamedDependency[DatasetCatalog]
    ) -> Dataset:
        """Return what its newest version holds, and where it stands."""
        return await datasets.get(dataset_id)

    @get("/{dataset_id:uuid}/versions", guards=[may_read], summary="Its versions")
    async def versions(
        self, dataset_id: FromPath[UUID], datasets: NamedDependency[DatasetCatalog]
    ) -> Versions:
        """Return the versions, newest first."""
        return Versions(await datasets.versions(dataset_id))

    @post(
        "/{dataset_id:uuid}/collect",
        status_code=202,
        guards=[may_administer],
        summary="Fetch a new version",
    )
    async def collect(
        self,
        dataset_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        collecting: NamedDependency[DatasetCollecting],
    ) -> Job:
        """Queue a collection and return its job."""
        return await collecting.submit(dataset_id, by=principal.user_id)

    @get("/{dataset_id:uuid}/profile", guards=[may_read], summary="What is in it")
    async def profile(
        self,
        dataset_id: FromPath[UUID],
        datasets: NamedDependency[DatasetCatalog],
        version: Annotated[int | None, QueryParameter(name="version", ge=1, le=2**31 - 1)] = None,
    ) -> DatasetProfile:
        """Return columns and quality of a version, after its file was compared with its address."""
        return await datasets.profile(dataset_id, version)

    @post(
        "/{dataset_id:uuid}/archive",
        status_code=200,
        guards=[may_administer],
        summary="Put it away",
    )
    async def archive(
        self, dataset_id: FromPath[UUID], datasets: NamedDependency[DatasetCatalog]
    ) -> Dataset:
        """Keep a dataset, and collect it no more."""
        return await datasets.archive(dataset_id)


def _wish(body: DatasetBody) -> DatasetWish:
    source, splits = body.source, body.splits
    return DatasetWish(
        name=body.name,
        description=body.description,
        type=body.type,
        source=DataSource(
            type=source.type, uri=source.uri, query=source.query, format=source.format
        ),
        credentials=source.credentials,
        wishes=IntakeWishes(
            roles=Roles(time=body.roles.time, entity=body.roles.entity, known=body.roles.known),
            shares=(splits.train, splits.validation, splits.test),
            embargo_s=body.embargo_seconds,
        ),
        preprocessing_steps=tuple(
            PreprocessingStep(type=step.type, parameters=step.parameters, order=step.order)
            for step in body.preprocessing_steps
        ),
    )
