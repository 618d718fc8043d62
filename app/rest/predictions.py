"""`/predictions`: ask a model, see what it said and how it turned out, say what you think."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromPath, JSONBody, QueryParameter

from app.domain.errors import Invalid
from app.domain.jobs import Job
from app.domain.predictions import Prediction, PredictionFilter
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_read, may_write
from app.services.paging import DEFAULT_LIMIT, Page
from app.services.predictions.prediction_batches import BatchCommand, PredictionBatches
from app.services.predictions.prediction_exports import as_table
from app.services.predictions.predictions import (
    DEADLINE_S,
    FeedbackCommand,
    PredictCommand,
    Predictions,
)

MAX_BATCH_BODY = 16 * 1024 * 1024


class PredictBody(Body, frozen=True):
    """One request, or several in `items`."""

    model_id: str | None = None
    """An id, `name`, `name@version`, or `name@champion`."""
    request_id: str | None = None
    input: dict[str, Any] | None = None
    deadline_s: float = DEADLINE_S
    explain: bool = False
    items: list["PredictBody"] | None = None


class BatchBody(Body, frozen=True):
    """Thousands of inputs for one model."""

    model_id: str
    inputs: list[dict[str, Any]]
    explain: bool = False


class FeedbackBody(Body, frozen=True):
    """The seed's PredictionFeedback, without its time."""

    is_correct: bool | None = None
    actual_value: Any = None
    rating: int | None = None
    comment: str | None = None


class PredictedMany(msgspec.Struct, frozen=True):
    """What was made, in the order it was asked for."""

    items: list[Prediction]


@dataclass
class TableDownload(Operation):
    """Describes a table that comes in two forms."""

    def __post_init__(self) -> None:
        text = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        content = {"text/csv": text, "application/vnd.apache.parquet": text}
        whole = OpenAPIResponse(description="All predictions of the job", content=content)
        self.responses = {**(self.responses or {}), "200": whole}


class PredictionsController(Controller):
    """The caller's predictions."""

    path = "/predictions"
    tags = ("Predictions",)

    @post("/", guards=[may_write], summary="Ask a model")
    async def predict(
        self,
        data: JSONBody[PredictBody],
        principal: NamedDependency[Principal],
        predictions: NamedDependency[Predictions],
    ) -> Prediction | PredictedMany:
        """Return the prediction of a request; the same `requestId` gives the same prediction."""
        if data.items is None:
            return await predictions.predict(principal, _command(data, ""))
        if (data.model_id, data.request_id, data.input) != (None, None, None):
            raise Invalid("Give `items`, or one request, not both.")
        commands = [_command(one, f"items[{at}].") for at, one in enumerate(data.items)]
        return PredictedMany(await predictions.predict_all(principal, commands))

    @post(
        "/batch",
        status_code=202,
        guards=[may_write],
        summary="Ask a model thousands of times",
        request_max_body_size=MAX_BATCH_BODY,
    )
    async def batch(
        self,
        data: JSONBody[BatchBody],
        principal: NamedDependency[Principal],
        batches: NamedDependency[PredictionBatches],
    ) -> Job:
        """Queue a job that answers every input; `GET /predictions?jobId=` lists what it made."""
        return await batches.submit(
            principal,
            BatchCommand(model=data.model_id, inputs=data.inputs, explain=data.explain),
        )

    @get("/", guards=[may_read], summary="My predictions")
    async def page(
        self,
        principal: NamedDependency[Principal],
        predictions: NamedDependency[Predictions],
        model_id: Annotated[UUID | None, QueryParameter(name="modelId")] = None,
        job_id: Annotated[UUID | None, QueryParameter(name="jobId")] = None,
        symbol: Annotated[
            str | None, QueryParameter(name="symbol", min_length=1, max_length=64)
        ] = None,
        task: Annotated[str | None, QueryParameter(name="task", max_length=64)] = None,
        status: Annotated[str | None, QueryParameter(name="status", max_length=16)] = None,
        grade: Annotated[str | None, QueryParameter(name="grade", max_length=8)] = None,
        settled: Annotated[bool | None, QueryParameter(name="settled")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Prediction]:
        """Return predictions with their outcomes and grades, newest first."""
        which = PredictionFilter(
            model_id=model_id,
            job_id=job_id,
            symbol=None if symbol is None else symbol.upper(),
            task=task,
            status=status,
            grade=grade,
            settled=settled,
        )
        return await predictions.page(principal, which, cursor=cursor, limit=limit)

    @get(
        "/export",
        guards=[may_read],
        summary="Take a batch away",
        operation_class=TableDownload,
    )
    async def export(
        self,
        principal: NamedDependency[Principal],
        batches: NamedDependency[PredictionBatches],
        job_id: Annotated[UUID, QueryParameter(name="jobId")],
        kind: Annotated[Literal["csv", "parquet"], QueryParameter(name="format")] = "csv",
    ) -> Response[bytes]:
        """Download all predictions of a job of one's own as one table."""
        table = await as_table(batches.rows(principal, job_id), kind)
        media = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}[kind]
        return Response(
            table,
            media_type=media,
            headers={"Content-Disposition": f'attachment; filename="predictions-{job_id}.{kind}"'},
        )

    @get("/{prediction_id:uuid}", guards=[may_read], summary="One prediction")
    async def one(
        self,
        prediction_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        predictions: NamedDependency[Predictions],
    ) -> Prediction:
        """Return a prediction, with how it turned out once that is known."""
        return await predictions.get(principal, prediction_id)

    @post(
        "/{prediction_id:uuid}/feedback",
        status_code=200,
        guards=[may_write],
        summary="Say what you think of it",
    )
    async def feedback(
        self,
        prediction_id: FromPath[UUID],
        data: JSONBody[FeedbackBody],
        principal: NamedDependency[Principal],
        predictions: NamedDependency[Predictions],
    ) -> Prediction:
        """Keep what a person says; the outcome that is measured stands apart."""
        said = FeedbackCommand(
            is_correct=data.is_correct,
            actual_value=data.actual_value,
            rating=data.rating,
            comment=data.comment,
        )
        return await predictions.give_feedback(principal, prediction_id, said)


def _command(data: PredictBody, where: str) -> PredictCommand:
    if data.items is not None and where:
        raise Invalid(f"`{where}items`: requests do not nest.")
    for name, value in (("modelId", data.model_id), ("requestId", data.request_id)):
        if not value:
            raise Invalid(f"`{where}{name}` is missing.")
    if data.input is None:
        raise Invalid(f"`{where}input` is missing.")
    return PredictCommand(
        model=data.model_id or "",
        request_id=data.request_id or "",
        input=data.input,
        deadline_s=data.deadline_s,
        explain=data.explain,
    )
