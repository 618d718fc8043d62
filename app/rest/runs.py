"""`/runs`: how an answer was made, what it cost, and the way to stop it."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.domain.principal import Principal
from app.domain.views import RunEvent, RunReceipt, RunView
from app.rest.pages import Limit
from app.rest.sign_in import may_chat, may_read
from app.services.conversations.run_reads import RunReads
from app.services.paging import DEFAULT_LIMIT, Page


class Cancelled(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a wish to stop."""

    run_id: UUID
    stopped: bool
    """False: it had already ended."""


class RunsController(Controller):
    """Runs."""

    path = "/runs"
    tags = ("Runs",)

    @get("/{run_id:uuid}", guards=[may_read], summary="One run")
    async def one(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunReads],
    ) -> RunView:
        """Return a run and its receipt, if it has ended."""
        return await runs.get(principal, run_id)

    @get("/{run_id:uuid}/events", guards=[may_read], summary="Its events")
    async def events(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunReads],
        after: Annotated[int, QueryParameter(ge=0)] = 0,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[RunEvent]:
        """Return AG-UI events beyond sequence number `after`, in order.

        `nextCursor` is the `after` of the next page.
        """
        return await runs.events(principal, run_id, after=after, limit=limit)

    @post("/{run_id:uuid}/cancel", status_code=200, guards=[may_chat], summary="Stop a run")
    async def cancel(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunReads],
    ) -> Cancelled:
        """Stop the run; what it has said is kept."""
        return Cancelled(run_id=run_id, stopped=await runs.cancel(principal, run_id))

    @get("/{run_id:uuid}/receipt", guards=[may_read], summary="What it cost")
    async def receipt(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunReads],
    ) -> RunReceipt:
        """Return the receipt and every provider attempt behind it."""
        return await runs.receipt(principal, run_id)
