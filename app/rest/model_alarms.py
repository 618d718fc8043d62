"""`/models/alarms`: what the watch over models raised, and who has seen it."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.domain.model_alarms import AlarmFilter, ModelAlarm
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.sign_in import may_administer
from app.services.models.model_alarms import ModelAlarms
from app.services.paging import DEFAULT_LIMIT, Page


class ModelAlarmsController(Controller):
    """Alarms over models, for administrators."""

    path = "/models/alarms"
    tags = ("Models",)

    @get("/", guards=[may_administer], summary="Alarms over models")
    async def page(
        self,
        model_alarms: NamedDependency[ModelAlarms],
        of_state: Annotated[str, QueryParameter(name="state", max_length=8)] = "open",
        model_id: Annotated[UUID | None, QueryParameter(name="modelId")] = None,
        kind: Annotated[str | None, QueryParameter(name="kind", max_length=32)] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ModelAlarm]:
        """Return alarms that last (`open`, by default), that are over (`closed`), or `all`."""
        which = AlarmFilter(state=of_state, model_id=model_id, kind=kind)
        return await model_alarms.page(which, cursor=cursor, limit=limit)

    @post(
        "/{alarm_id:uuid}/acknowledge",
        status_code=200,
        guards=[may_administer],
        summary="Say that it was seen",
    )
    async def acknowledge(
        self,
        alarm_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        model_alarms: NamedDependency[ModelAlarms],
    ) -> ModelAlarm:
        """Note who has seen it first; an alarm stays until it is over."""
        return await model_alarms.acknowledge(alarm_id, by=principal.user_id)
