"""What a person can see of a run, and the one thing they can do to it over REST: stop it."""

from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import RunId, UserId
from app.domain.principal import Principal
from app.domain.runs import StoredEvent
from app.domain.views import CostLine, RunEvent, RunReceipt, RunView
from app.services.paging import Page, checked_limit

NO_RUN = "There is no such run."


class RunReadStore(Protocol):
    """Runs as their owner sees them."""

    async def find(self, run_id: UUID, user_id: UserId) -> RunView | None: ...

    async def events(self, run: RunView, *, after: int, limit: int) -> list[StoredEvent]:
        """Return journal entries of a run beyond `after`, in order."""
        ...

    async def cost_lines(self, run_id: UUID) -> list[CostLine]:
        """Return the provider attempts of a run, in order."""
        ...


class Stopper(Protocol):
    """The run supervisor, as far as it is needed here."""

    async def stop(self, run_id: RunId, principal: Principal) -> bool: ...


class RunReads:
    """The use cases."""

    def __init__(self, store: RunReadStore, runs: Stopper) -> None:
        self._store = store
        self._runs = runs

    async def get(self, principal: Principal, run_id: UUID) -> RunView:
        """Return one run.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        found = await self._store.find(run_id, principal.user_id)
        if found is None:
            raise NotFound(NO_RUN)
        return found

    async def events(
        self, principal: Principal, run_id: UUID, *, after: int, limit: int
    ) -> Page[RunEvent]:
        """Return AG-UI events of a run beyond `after`, in order.

        Raises:
            NotFound: the run is unknown or somebody else's.
        """
        if not 0 <= after < 2**63:
            raise Invalid("`after` must be a sequence number, from 0.")
        limit = checked_limit(limit)
        run = await self.get(principal, run_id)
        stored = await self._store.events(run, after=after, limit=limit + 1)
        items = [RunEvent(seq=one.seq, event=ag_ui(one)) for one in stored[:limit]]
        return Page(items, str(items[-1].seq) if len(stored) > limit else None)

    async def receipt(self, principal: Principal, run_id: UUID) -> RunReceipt:
        """Return what a run cost, attempt by attempt.

        Raises:
            NotFound: the run is unknown or somebody else's.
            Conflict: `run_active`: it has not ended yet.
        """
        run = await self.get(principal, run_id)
        if run.receipt is None:
            raise Conflict("This run has no receipt yet: it is still going on.", code="run_active")
        lines = await self._store.cost_lines(run_id)
        return RunReceipt(run_id=run.id, receipt=run.receipt, entries=tuple(lines))

    async def cancel(self, principal: Principal, run_id: UUID) -> bool:
        """Stop a run, keeping what it has said; False when it had already ended.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        await self.get(principal, run_id)
        return await self._runs.stop(RunId(run_id), principal)


def ag_ui(stored: StoredEvent) -> dict[str, Any]:
    """Return a journal entry as the AG-UI event it was, its sequence number in `metadata`."""
    event: dict[str, Any]
    if stored.message_id is not None and stored.type == "TEXT_MESSAGE_CONTENT":
        event = {"type": stored.type, "messageId": stored.message_id, "delta": stored.payload}
    else:
        event = msgspec.json.decode(stored.payload)
    metadata = event.setdefault("metadata", {})
    metadata.setdefault("outcry", {})["seq"] = stored.seq
    return event
