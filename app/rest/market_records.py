"""Actions of instruments; versions, suspects and gaps of bars."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.domain.errors import Invalid
from app.domain.principal import Principal
from app.rest.market import From, Symbol, To
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body, moment
from app.rest.sign_in import may_administer, may_read
from app.services.market.market_records import MarketRecords, NewAction, Versions
from app.services.paging import DEFAULT_LIMIT, Page
from tools.market.actions import Action, ActionKind, Adjustment
from tools.market.gaps import GapReport
from tools.market.records import Suspect

Status = Literal["quarantined", "accepted", "rejected", "all"]


class ActionBody(Body, frozen=True):
    """What happened to an instrument. Amounts are decimals, as strings or numbers."""

    kind: ActionKind
    ex_date: date
    source: str
    new_shares: Decimal | None = None
    old_shares: Decimal | None = None
    amount: Decimal | None = None
    currency: str | None = None
    new_symbol: str | None = None
    note: str | None = None
    from_contract: str | None = None
    to_contract: str | None = None
    from_price: Decimal | None = None
    to_price: Decimal | None = None
    adjustment: Adjustment | None = None


class DecisionBody(Body, frozen=True):
    """What is to become of a suspect."""

    status: Literal["accepted", "rejected"]


class Actions(msgspec.Struct, frozen=True):
    """All actions of an instrument, by date."""

    items: list[Action]


class ActionsController(Controller):
    """Splits, dividends, new symbols, the end, rolls."""

    path = "/instruments/{symbol:str}/actions"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Actions of an instrument")
    async def every(
        self, symbol: FromPath[str], records: NamedDependency[MarketRecords]
    ) -> Actions:
        """Return all actions by date; those withdrawn say since when."""
        return Actions(await records.actions(symbol))

    @post("/", guards=[may_administer], summary="Add an action")
    async def add(
        self,
        symbol: FromPath[str],
        data: JSONBody[ActionBody],
        records: NamedDependency[MarketRecords],
    ) -> Action:
        """Store an action; one of the same day and kind that says otherwise is withdrawn."""
        return await records.add_action(symbol, NewAction(**msgspec.structs.asdict(data)))

    @delete("/", guards=[may_administer], summary="Withdraw an action")
    async def withdraw(
        self,
        symbol: FromPath[str],
        records: NamedDependency[MarketRecords],
        ex_date: Annotated[str, QueryParameter(name="exDate", description="A day.")],
        kind: FromQuery[ActionKind],
    ) -> None:
        """Say that an action was wrong; it stays in the list, with the moment."""
        day = moment(ex_date, "exDate")
        if day is None:
            raise Invalid("`exDate` must be a date.")
        await records.withdraw_action(symbol, ex_date=day.date(), kind=kind)


class BarRecordsController(Controller):
    """What stands behind bars."""

    path = "/bars"
    tags = ("Market data",)

    @get("/versions", guards=[may_read], summary="Versions of one bar")
    async def versions(
        self,
        records: NamedDependency[MarketRecords],
        symbol: Symbol,
        timestamp: FromQuery[str],
        timeframe: FromQuery[str] = "1d",
    ) -> Versions:
        """Return everything that was ever believed of one bar, oldest first."""
        opened = moment(timestamp, "timestamp")
        if opened is None:
            raise Invalid("`timestamp` must be the opening of a bar.")
        return await records.versions(symbol, timeframe, opened)

    @get("/gaps", guards=[may_read], summary="Bars that are missing")
    async def gaps(
        self,
        records: NamedDependency[MarketRecords],
        symbol: Symbol,
        timeframe: FromQuery[str] = "1d",
        start: From = None,
        end: To = None,
    ) -> GapReport:
        """Compare the stored bars with the sessions of their exchange."""
        return await records.gaps(
            symbol, timeframe, start=moment(start, "from"), end=moment(end, "to")
        )

    @get("/suspects", guards=[may_read], summary="Bars in quarantine")
    async def suspects(
        self,
        records: NamedDependency[MarketRecords],
        symbol: Annotated[
            str | None, QueryParameter(name="symbol", min_length=1, max_length=64)
        ] = None,
        status: FromQuery[Status] = "quarantined",
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Suspect]:
        """Return bars that parse and cannot be believed, newest arrival first."""
        return await records.suspects(
            symbol, status=None if status == "all" else status, cursor=cursor, limit=limit
        )

    @patch("/suspects/{suspect_id:uuid}", guards=[may_administer], summary="Decide on a suspect")
    async def decide(
        self,
        suspect_id: FromPath[UUID],
        data: JSONBody[DecisionBody],
        principal: NamedDependency[Principal],
        records: NamedDependency[MarketRecords],
    ) -> Suspect:
        """Let a suspect in among the bars, or turn it away for good."""
        return await records.decide(suspect_id, data.status, by=principal.email)
