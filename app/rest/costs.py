"""`/costs`: what has been spent."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.domain.principal import Principal
from app.domain.views import CostGroup, CostGrouping
from app.rest.pages import Cursor, Limit
from app.rest.requests import moment
from app.rest.sign_in import may_read
from app.services.conversations.costs_report import CostsReport
from app.services.paging import DEFAULT_LIMIT, Page


class CostsController(Controller):
    """Money."""

    path = "/costs"
    tags = ("Costs",)

    @get("/", guards=[may_read], summary="Totals per conversation, agent, model or day")
    async def totals(
        self,
        principal: NamedDependency[Principal],
        costs: NamedDependency[CostsReport],
        group_by: Annotated[CostGrouping, QueryParameter(name="groupBy")] = "conversation",
        start: Annotated[str | None, QueryParameter(name="from")] = None,
        end: Annotated[str | None, QueryParameter(name="to")] = None,
        everybody: Annotated[bool, QueryParameter(name="all")] = False,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[CostGroup]:
        """Return what was spent from `from` (included) to `to` (not included), dearest first."""
        return await costs.totals(
            principal,
            group_by,
            everybody=everybody,
            start=moment(start, "from"),
            end=moment(end, "to"),
            cursor=cursor,
            limit=limit,
        )
