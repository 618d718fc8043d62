"""`/models/engine`, `/models/{id}/drift`, `/models/{id}/reports`: how models do in use."""

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.domain.model_reports import ModelReport
from app.rest.pages import Cursor, Limit
from app.rest.sign_in import may_administer, may_read
from app.services.models.engine_view import EngineNow, EngineViews
from app.services.models.model_health import ModelHealth
from app.services.paging import DEFAULT_LIMIT, Page


class ModelReportsController(Controller):
    """Reports on models in use."""

    path = "/models"
    tags = ("Models",)

    @get("/engine", guards=[may_administer], summary="What the engine does")
    async def engine(self, engine_views: NamedDependency[EngineViews]) -> EngineNow:
        """Return queue, cache and restarts, and how fast each model has answered."""
        return await engine_views.now()

    @get("/{model_id:uuid}/drift", guards=[may_read], summary="How it does now")
    async def drift(
        self, model_id: FromPath[UUID], model_health: NamedDependency[ModelHealth]
    ) -> ModelReport:
        """Return live skill, calibration, drift of inputs and outputs, speed and alarms."""
        return await model_health.newest(model_id)

    @get("/{model_id:uuid}/reports", guards=[may_read], summary="How it did")
    async def page(
        self,
        model_id: FromPath[UUID],
        model_health: NamedDependency[ModelHealth],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ModelReport]:
        """Return its reports, newest first; one a day."""
        return await model_health.page(model_id, cursor=cursor, limit=limit)
