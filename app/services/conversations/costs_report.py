"""What has been spent, added up the way somebody wants to see it."""

from datetime import datetime
from typing import Protocol

from app.domain.errors import Forbidden, Invalid
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.domain.views import CostGroup, CostGrouping
from app.services.paging import Page, checked_limit


class CostStore(Protocol):
    """Sums of settled cost entries."""

    async def totals(
        self,
        group_by: CostGrouping,
        *,
        user_id: UserId | None,
        start: datetime | None,
        end: datetime | None,
        offset: int,
        limit: int,
    ) -> list[CostGroup]:
        """Return totals per group, dearest first (days: newest first); no user: everybody's."""
        ...


class CostsReport:
    """The use case."""

    def __init__(self, store: CostStore) -> None:
        self._store = store

    async def totals(
        self,
        principal: Principal,
        group_by: CostGrouping,
        *,
        everybody: bool,
        start: datetime | None,
        end: datetime | None,
        cursor: str | None,
        limit: int,
    ) -> Page[CostGroup]:
        """Return totals per group for the caller, or for everybody when an admin asks.

        Raises:
            Forbidden: everybody's costs are for admins.
            Invalid: the span ends before it begins, or the cursor or limit cannot be used.
        """
        if everybody and not principal.may("admin"):
            raise Forbidden("Only an admin may see everybody's costs.")
        if start is not None and end is not None and end < start:
            raise Invalid("`to` is before `from`.")
        limit = checked_limit(limit)
        offset = _offset(cursor)
        found = await self._store.totals(
            group_by,
            user_id=None if everybody else principal.user_id,
            start=start,
            end=end,
            offset=offset,
            limit=limit + 1,
        )
        return Page(found[:limit], str(offset + limit) if len(found) > limit else None)


def _offset(cursor: str | None) -> int:
    """Sums change while one reads them, so there is no position to hold on to but a count."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 9):
        raise Invalid("`cursor` is not one this server gave out.")
    return int(cursor)
