"""`/experiments`: a new version beside the champion, until the evidence says which is better."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.domain.experiments import Experiment, ExperimentMode, ExperimentStatus, Reading
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_administer, may_read
from app.services.experiments.experiments import ALPHA, Experiments
from app.services.paging import DEFAULT_LIMIT, Page


class ExperimentBody(Body, frozen=True):
    """What is to be compared, and how."""

    model: str
    """The name whose challenger proves itself beside its champion."""
    mode: ExperimentMode = "shadow"
    share: float = 1.0
    alpha: float = ALPHA


class StopBody(Body, frozen=True):
    """Why it ends."""

    reason: str


class PromoteBody(Body, frozen=True):
    """Needed where the evidence does not say that the challenger is better."""

    reason: str | msgspec.UnsetType = msgspec.UNSET


class ExperimentsController(Controller):
    """Everybody may read experiments; administrators decide on them."""

    path = "/experiments"
    tags = ("Models",)

    @get("/", guards=[may_read], summary="Experiments")
    async def page(
        self,
        experiments: NamedDependency[Experiments],
        model: Annotated[str | None, QueryParameter(name="model", max_length=200)] = None,
        status: FromQuery[ExperimentStatus | None] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Experiment]:
        """Return experiments, newest first."""
        return await experiments.page(model=model, status=status, cursor=cursor, limit=limit)

    @post("/", guards=[may_administer], summary="Start an experiment")
    async def start(
        self,
        data: JSONBody[ExperimentBody],
        principal: NamedDependency[Principal],
        experiments: NamedDependency[Experiments],
    ) -> Experiment:
        """Let a model's challenger prove itself beside its champion."""
        return await experiments.start(
            data.model,
            mode=data.mode,
            share=data.share,
            alpha=data.alpha,
            by=principal.user_id,
        )

    @get("/{experiment_id:uuid}", guards=[may_read], summary="One experiment")
    async def one(
        self, experiment_id: FromPath[UUID], experiments: NamedDependency[Experiments]
    ) -> Experiment:
        """Return an experiment and what it ended with."""
        return await experiments.get(experiment_id)

    @get("/{experiment_id:uuid}/reading", guards=[may_read], summary="What it says now")
    async def reading(
        self, experiment_id: FromPath[UUID], experiments: NamedDependency[Experiments]
    ) -> Reading:
        """Return the evidence so far; it may be read as often as one likes."""
        return await experiments.reading(experiment_id)

    @post("/{experiment_id:uuid}/stop", status_code=200, guards=[may_administer], summary="End it")
    async def stop(
        self,
        experiment_id: FromPath[UUID],
        data: JSONBody[StopBody],
        principal: NamedDependency[Principal],
        experiments: NamedDependency[Experiments],
    ) -> Experiment:
        """End an experiment without a winner."""
        return await experiments.stop(experiment_id, by=principal.user_id, reason=data.reason)

    @post(
        "/{experiment_id:uuid}/promote",
        status_code=200,
        guards=[may_administer],
        summary="Promote the challenger",
    )
    async def promote(
        self,
        experiment_id: FromPath[UUID],
        data: JSONBody[PromoteBody],
        principal: NamedDependency[Principal],
        experiments: NamedDependency[Experiments],
    ) -> Experiment:
        """Make the challenger champion, on the evidence or with a reason."""
        return await experiments.promote(
            experiment_id, by=principal.user_id, reason=data.reason or None
        )
