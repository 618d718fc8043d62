"""`/models`: which models there are, what they have shown, and which of them serves."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, get, post, put
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from app.domain.jobs import Job
from app.domain.models import Lineage, ModelEvent, ModelFilter, NewModel
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_administer, may_read
from app.services.models.model_files import ModelFiles
from app.services.models.model_imports import ModelImports
from app.services.models.models import Models
from app.services.paging import DEFAULT_LIMIT, Page
from inference.absent_metrics import absent_metrics
from inference.artifacts import Manifest
from inference.cards import (
    Framework,
    ModelCard,
    ModelParameters,
    ModelPerformance,
    ModelStatus,
    ModelType,
)
from inference.packing import MEDIA_TYPE

Name = Annotated[str | None, QueryParameter(name="name", max_length=80)]
Task = Annotated[str | None, QueryParameter(name="task", max_length=80)]
Alias = Annotated[str | None, QueryParameter(name="alias", max_length=20)]


class NewModelBody(Body, frozen=True):
    """A version that waits for its files, or is reached at `deploymentUrl`."""

    name: str
    type: ModelType
    framework: Framework
    version: str | None = None
    architecture: str = ""
    parameters: ModelParameters = ModelParameters()
    training_dataset_id: UUID | None = None
    task: str | None = None
    deployment_url: str | None = None


class ImportBody(Body, frozen=True):
    """Where a packed model is."""

    url: str
    name: str | None = None
    version: str | None = None


class TransitionBody(Body, frozen=True):
    """Where a version shall go."""

    status: ModelStatus
    reason: str | None = None
    """Needed to fail a version, and to deploy one whose skill is not above zero."""
    alias: str | None = None
    """With `deployed`: champion or challenger; the first free one by default."""


class AliasBody(Body, frozen=True):
    """What a deployed version shall be."""

    alias: str


class PerformanceView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a version has shown, beside what it must be compared with."""

    model_id: UUID
    name: str
    version: str
    performance: ModelPerformance
    absent: dict[str, str]
    """Fields of `performance` without a number -> why."""
    speed: dict[str, Any] | None
    """Where, when and how its latency and throughput were measured, or why they were not."""
    evaluation: dict[str, Any] | None
    best_baseline: dict[str, Any] | None
    has_skill: bool | None
    """Whether the interval of skill against every baseline lies above 0; null: not evaluated."""
    deployed_despite: str | None


class ModelsController(Controller):
    """The registry. Everybody reads; changes are an admin's."""

    path = "/models"
    tags = ("Models",)

    @get("/", guards=[may_read], summary="Versions of models")
    async def page(
        self,
        models: NamedDependency[Models],
        name: Name = None,
        status: FromQuery[ModelStatus | None] = None,
        type: FromQuery[ModelType | None] = None,
        framework: FromQuery[Framework | None] = None,
        task: Task = None,
        alias: Alias = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ModelCard]:
        """Return versions, newest first."""
        asked = ModelFilter(
            name=name, status=status, type=type, framework=framework, task=task, alias=alias
        )
        return await models.page(asked, cursor=cursor, limit=limit)

    @post("/", guards=[may_administer], summary="Make a version")
    async def add(
        self,
        data: JSONBody[NewModelBody],
        principal: NamedDependency[Principal],
        models: NamedDependency[Models],
    ) -> ModelCard:
        """Make a version in status `training`; its files come next."""
        new = NewModel(**msgspec.structs.asdict(data), created_by=principal.user_id)
        return await models.create(new)

    @post("/import", status_code=202, guards=[may_administer], summary="Fetch a model")
    async def fetch(
        self,
        data: JSONBody[ImportBody],
        principal: NamedDependency[Principal],
        model_imports: NamedDependency[ModelImports],
    ) -> Job:
        """Fetch a packed model from an address on the operator's list, as a job."""
        return await model_imports.submit(
            data.url, by=principal.user_id, name=data.name, version=data.version
        )

    @get("/{model_id:uuid}", guards=[may_read], summary="One version")
    async def one(self, model_id: FromPath[UUID], models: NamedDependency[Models]) -> ModelCard:
        """Return a version with everything that was measured of it."""
        return await models.get(model_id)

    @get("/{model_id:uuid}/versions", guards=[may_read], summary="All versions of its name")
    async def versions(
        self,
        model_id: FromPath[UUID],
        models: NamedDependency[Models],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ModelCard]:
        """Return the versions of a model's name, newest first."""
        card = await models.get(model_id)
        return await models.page(ModelFilter(name=card.name), cursor=cursor, limit=limit)

    @get("/{model_id:uuid}/events", guards=[may_read], summary="What was done to it")
    async def events(
        self,
        model_id: FromPath[UUID],
        models: NamedDependency[Models],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ModelEvent]:
        """Return transitions, aliases, overrides and quarantine, newest first."""
        return await models.events(model_id, cursor=cursor, limit=limit)

    @get("/{model_id:uuid}/lineage", guards=[may_read], summary="From data to predictions")
    async def lineage(self, model_id: FromPath[UUID], models: NamedDependency[Models]) -> Lineage:
        """Return which version of which dataset it learned from, and how much it has answered."""
        return await models.lineage(model_id)

    @get("/{model_id:uuid}/performance", guards=[may_read], summary="What it has shown")
    async def performance(
        self, model_id: FromPath[UUID], models: NamedDependency[Models]
    ) -> PerformanceView:
        """Return its metrics and its evaluation beside the baselines."""
        return _performance(await models.get(model_id))

    @get("/{model_id:uuid}/files", guards=[may_read], summary="What it consists of")
    async def files(self, model_id: FromPath[UUID], models: NamedDependency[Models]) -> Manifest:
        """Return path, size and SHA-256 of each file."""
        return await models.files(model_id)

    @get("/{model_id:uuid}/artifact", guards=[may_read], summary="Its files, packed")
    async def download(
        self, model_id: FromPath[UUID], model_files: NamedDependency[ModelFiles]
    ) -> Stream:
        """Return the files as one `.tar.zst`, after comparing each with what was approved."""
        name, parts = await model_files.download(model_id)
        return Stream(
            parts,
            media_type=MEDIA_TYPE,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
            },
        )

    @put(
        "/{model_id:uuid}/artifact",
        guards=[may_administer],
        request_max_body_size=None,
        media_type=MediaType.JSON,
        summary="Send its files",
    )
    async def upload(
        self,
        model_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        principal: NamedDependency[Principal],
        model_files: NamedDependency[ModelFiles],
    ) -> ModelCard:
        """Attach a `.tar.zst` of files in allowed formats; the version is `validating` then."""
        media_type = request.content_type[0]
        if media_type != MEDIA_TYPE:
            raise HTTPException(
                status_code=415,
                detail=f"Send Content-Type: {MEDIA_TYPE}, not {media_type or 'none'}.",
            )
        return await model_files.upload(model_id, request.stream(), by=principal.user_id)

    @post(
        "/{model_id:uuid}/transition",
        status_code=200,
        guards=[may_administer],
        summary="Move it on",
    )
    async def transition(
        self,
        model_id: FromPath[UUID],
        data: JSONBody[TransitionBody],
        principal: NamedDependency[Principal],
        models: NamedDependency[Models],
    ) -> ModelCard:
        """Change its status, as far as the lifecycle allows."""
        return await models.transition(
            model_id, data.status, by=principal.user_id, reason=data.reason, alias=data.alias
        )

    @post(
        "/{model_id:uuid}/aliases",
        status_code=200,
        guards=[may_administer],
        summary="Make it champion or challenger",
    )
    async def alias(
        self,
        model_id: FromPath[UUID],
        data: JSONBody[AliasBody],
        principal: NamedDependency[Principal],
        models: NamedDependency[Models],
    ) -> ModelCard:
        """Let an alias point to it; the version that had the alias is deprecated."""
        return await models.set_alias(model_id, data.alias, by=principal.user_id)


def _performance(card: ModelCard) -> PerformanceView:
    evaluation = card.evaluation()
    best = evaluation.best_baseline() if evaluation and evaluation.baselines else None
    return PerformanceView(
        model_id=card.id,
        name=card.name,
        version=card.version,
        performance=card.performance,
        absent=absent_metrics(card),
        speed=card.validation_metrics.get("speed"),
        evaluation=msgspec.to_builtins(evaluation),
        best_baseline=msgspec.to_builtins(best),
        has_skill=evaluation.has_skill if evaluation and evaluation.baselines else None,
        deployed_despite=card.deployed_despite,
    )
